// How far apart the points of a query are, and the variables that tell queries so.
import type { TimeRange } from '@grafana/data';
import { rangeUtil } from '../datetime';
import { lookupOf, type Lookup } from './interpolation';

/** `timeInterval` in infra/grafana/datasources: how often the services are scraped. */
export const SCRAPE_INTERVAL = '5s';
// Prometheus refuses more points of a series.
const MOST_POINTS = 11_000;

export interface Interval {
  /** Of the panel, in seconds: `$__interval`. */
  panel: number;
  /** Of the query, in seconds: its step. */
  step: number;
  variables: Lookup;
}

/** A duration such as `15s`, in seconds. 0 for what is none. */
export function seconds(text: string | null | undefined): number {
  if (!text) return 0;
  const written = text.trim().replace(/^[<>]/, '');
  if (/^\d+(\.\d+)?$/.test(written)) return Number(written);
  try {
    return rangeUtil.intervalToMs(written) / 1000;
  } catch {
    return 0;
  }
}

/**
 * The interval of a panel and the step of one of its queries.
 *
 * `points` is how many fit (`maxDataPoints`, else the width in pixels), `leastOfPanel` is its "min interval",
 * `leastOfQuery` the "min step" of the query, each as they are in the file with their variables put in.
 */
export function intervalOf(
  range: TimeRange,
  points: number,
  leastOfPanel?: string | null,
  leastOfQuery?: string,
  factor = 1,
): Interval {
  const scrape = seconds(leastOfQuery) || seconds(SCRAPE_INTERVAL);
  const least = seconds(leastOfPanel) || seconds(SCRAPE_INTERVAL);
  const panel = rangeUtil.calculateInterval(range, Math.max(1, points), `${least * 1000}ms`).intervalMs / 1000;
  const length = (range.to.valueOf() - range.from.valueOf()) / 1000;
  const step = Math.max(panel, seconds(leastOfQuery), length / MOST_POINTS) * factor;
  const rate = Math.max(panel + scrape, 4 * scrape);
  return {
    panel,
    step,
    variables: lookupOf({
      __interval: written(panel),
      __interval_ms: String(panel * 1000),
      __rate_interval: written(rate),
      __rate_interval_ms: String(rate * 1000),
    }),
  };
}

function written(length: number): string {
  return Number.isInteger(length) ? `${length}s` : `${Math.round(length * 1000)}ms`;
}

/** The first and the last time of a query, in seconds: on multiples of the step, so that points stay where they are. */
export function aligned(range: TimeRange, step: number): { start: number; end: number } {
  const on = (time: number) => Math.floor(time / 1000 / step) * step;
  return { start: on(range.from.valueOf()), end: on(range.to.valueOf()) };
}
