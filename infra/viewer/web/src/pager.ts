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

export function pageKey(page: Page): string {
  return `${page.received_at} ${page.channel} ${page.receiver}`;
}
