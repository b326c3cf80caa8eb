// Asks for the same thing again and again while the page is looked at, and keeps the last answer when one fails.
import { useEffect, useState } from 'react';

const PATIENCE = 12_000;

export interface Polled<T> {
  data?: T;
  /** When `data` arrived, in milliseconds. */
  at?: number;
  /** Why the last request failed, in a sentence. Then `data` is old. */
  error?: string;
  /** When the first of the requests that failed in a row did so, in milliseconds. */
  failingSince?: number;
}

type Visibility = Pick<Document, 'hidden' | 'addEventListener' | 'removeEventListener'>;

/** Starts to ask; `tell` gets the state after each answer. Returns what ends that. */
export function poll<T>(
  load: (signal: AbortSignal) => Promise<T>,
  every: number,
  tell: (state: Polled<T>) => void,
  page: Visibility = document,
): () => void {
  const ended = new AbortController();
  let state: Polled<T> = {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asking = false;

  async function ask(): Promise<void> {
    asking = true;
    const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(PATIENCE)]);
    try {
      const data = await load(signal);
      state = { data, at: Date.now() };
    } catch (error) {
      state = { ...state, error: sentence(error), failingSince: state.failingSince ?? Date.now() };
    }
    asking = false;
    if (ended.signal.aborted) return;
    tell(state);
    if (!page.hidden) timer = setTimeout(ask, every);
  }

  function look(): void {
    clearTimeout(timer);
    if (!page.hidden && !asking) void ask();
  }

  page.addEventListener('visibilitychange', look, { signal: ended.signal });
  look();
  return () => {
    ended.abort();
    clearTimeout(timer);
  };
}

/** `load` must be the same function at each drawing. */
export function usePolled<T>(load: (signal: AbortSignal) => Promise<T>, every: number): Polled<T> {
  const [state, setState] = useState<Polled<T>>({});
  useEffect(() => poll(load, every, setState), [load, every]);
  return state;
}

function sentence(error: unknown): string {
  if (error instanceof DOMException && error.name === 'TimeoutError')
    return `There was no answer within ${PATIENCE / 1000} s.`;
  return error instanceof Error ? error.message : String(error);
}
