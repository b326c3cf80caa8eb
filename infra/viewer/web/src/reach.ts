// Whether Prometheus answers, for whoever must tell people that what they see is old.
import { useSyncExternalStore } from 'react';

export interface Outage {
  /** When it last answered, or when it first did not, in milliseconds. */
  since: number;
  /** What the viewer's server says about it. */
  text: string;
}

let lastAnswer: number | undefined;
let outage: Outage | undefined;
const listeners = new Set<() => void>();

/** Prometheus answered, if only that a query is wrong. */
export function answered(): void {
  lastAnswer = Date.now();
  if (outage) change(undefined);
}

/** Nobody answered. */
export function unanswered(text: string): void {
  if (outage?.text !== text) change({ since: outage?.since ?? lastAnswer ?? Date.now(), text });
}

function change(next: Outage | undefined): void {
  outage = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useOutage(): Outage | undefined {
  return useSyncExternalStore(subscribe, () => outage);
}
