// Asks the pager, through the viewer's own server: what it was sent, and whether the Watchdog beats.
import type { Labels } from './prometheus';

export interface PagedAlert {
  name: string;
  labels: Labels;
  annotations: Labels;
  status: 'firing' | 'resolved';
}
export interface Page {
  channel: string;
  receiver: string;
  status: 'firing' | 'resolved';
  alerts: PagedAlert[];
  /** In seconds. */
  received_at: number;
}
export interface Watchdog {
  /** In seconds. Null: none since the pager was started. */
  last_beat: number | null;
  beating: boolean;
}

const OVERLAP_SECONDS = 60;

async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(`/api/pager/${path}`, { signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Error("The viewer's server does not answer. Is `make up` running?");
  }
  const body = await answer.json().catch(() => undefined);
  if (answer.ok && body !== undefined) return body as T;
  const detail = typeof body?.detail === 'string' ? body.detail : undefined;
  throw new Error(detail ?? `The pager answered ${answer.status} ${answer.statusText}`.trim());
}

export const watchdog = (signal?: AbortSignal): Promise<Watchdog> => get('watchdog', signal);

/** Loads all pages once, and then only what is new. */
export class PageLog {
  private pages: Page[] = [];

  constructor(
    private readonly load = (since: number, signal?: AbortSignal) => get<Page[]>(`pages?since=${since}`, signal),
  ) {}

  /** Every page, newest first. */
  async newest(signal?: AbortSignal): Promise<Page[]> {
    // An overlap, because the pager's clock may be set back a little.
    const since = Math.max(0, (this.pages[0]?.received_at ?? 0) - OVERLAP_SECONDS);
    const known = new Set(this.pages.map(pageKey));
    const more = (await this.load(since, signal)).filter((page) => !known.has(pageKey(page)));
    if (more.length > 0) this.pages = [...more, ...this.pages].sort((a, b) => b.received_at - a.received_at);
    return this.pages;
  }
}

/** The same alerts, sent to several channels: one thing to know. */
export interface Told extends Page {
  /** Where it went, newest first. */
  places: string[];
  /** Those of the pages that it stands for. */
  keys: string[];
  /** Whether one of its alerts still fires. */
  open: boolean;
}

// Two channels are told within what Alertmanager waits for one of them.
const TOGETHER_SECONDS = 60;

/**
 * What is to be told of these pages: those whose alerts still fire first, and each once. The newest first. `fires` says
 * of the rules that Prometheus has whether they fire: of an alert that is inhibited, the pager hears no end.
 */
export function told(pages: Page[], fires: ReadonlyMap<string, boolean> = new Map()): Told[] {
  const last = new Map<string, 'firing' | 'resolved'>();
  const found: Told[] = [];
  for (const page of [...pages].sort((a, b) => b.received_at - a.received_at)) {
    const open = page.alerts.some((alert) => {
      const id = alertKey(alert);
      if (!last.has(id)) last.set(id, alert.status);
      return alert.status === 'firing' && last.get(id) === 'firing' && fires.get(alert.name) !== false;
    });
    const place = page.channel === page.receiver ? page.channel : `${page.channel} to ${page.receiver}`;
    const same = found.find(
      (each) =>
        !each.places.includes(place) && each.received_at - page.received_at <= TOGETHER_SECONDS && alike(each, page),
    );
    if (!same) found.push({ ...page, places: [place], keys: [pageKey(page)], open });
    else {
      same.places.push(place);
      same.keys.push(pageKey(page));
    }
  }
  return [...found.filter(({ open }) => open), ...found.filter(({ open }) => !open)];
}

/** Whether two channels were told the same. Slack's messages have the name of an alert alone. */
function alike(one: Page, other: Page): boolean {
  const bare = [one, other].some(({ alerts }) =>
    alerts.every(({ labels }) => Object.keys(labels).every((name) => name === 'alertname')),
  );
  const said = ({ alerts }: Page) =>
    alerts
      .map((alert) => `${alert.status} ${bare ? alert.name : alertKey(alert)}`)
      .sort()
      .join('\n');
  return one.alerts.length > 0 && said(one) === said(other);
}

const alertKey = ({ name, labels }: PagedAlert): string => JSON.stringify([name, Object.entries(labels).sort()]);

export function pageKey(page: Page): string {
  return `${page.received_at} ${page.channel} ${page.receiver}`;
}
