// The time range that a page shows: what its address says, and the same as times.
import type { DateTime, RawTimeRange, TimeRange, TimeZone } from '@grafana/data';
import { dateMath, dateTime } from './datetime';

export interface Span {
  from: string;
  to: string;
}

export const LAST_15_MINUTES: Span = { from: 'now-15m', to: 'now' };

/** A time as an address has it: `now-15m`, milliseconds since 1970, or a date. Undefined for anything else. */
export function parseTime(
  text: string,
  roundUp: boolean,
  timeZone: TimeZone = 'utc',
  now = dateTime(),
): DateTime | undefined {
  if (/^\d{10,}$/.test(text)) return dateTime(Number(text));
  const parsed = dateMath.toDateTime(text, { roundUp, timezone: timeZone, now });
  return parsed?.isValid() ? parsed : undefined;
}

/** The range between two such times, as it is now. One that makes no sense is the last 15 minutes. */
export function rangeOf(span: Span, timeZone: TimeZone = 'utc'): TimeRange {
  const now = dateTime(); // one moment for both ends, or the range would be longer than its name
  const from = parseTime(span.from, false, timeZone, now);
  const to = parseTime(span.to, true, timeZone, now);
  if (!from || !to || from.valueOf() >= to.valueOf()) return rangeOf(LAST_15_MINUTES, timeZone);
  const relative = (text: string, time: DateTime) => (text.includes('now') ? text : time);
  return { from, to, raw: { from: relative(span.from, from), to: relative(span.to, to) } };
}

/** How a range is written in an address. */
export function spanOf(raw: RawTimeRange): Span {
  const written = (time: DateTime | string) => (typeof time === 'string' ? time : String(time.valueOf()));
  return { from: written(raw.from), to: written(raw.to) };
}

/** A range that ends and begins at these times, in milliseconds. */
export function between(from: number, to: number): Span {
  return { from: String(Math.round(from)), to: String(Math.round(to)) };
}

/** Moved by half of itself, back (-1) or on (1). */
export function moved(range: TimeRange, direction: -1 | 1): Span {
  const [from, to] = [range.from.valueOf(), range.to.valueOf()];
  const half = ((to - from) / 2) * direction;
  return between(from + half, to + half);
}

/** Twice as long, around the same middle. */
export function zoomedOut(range: TimeRange): Span {
  const [from, to] = [range.from.valueOf(), range.to.valueOf()];
  const half = (to - from) / 2;
  return between(from - half, to + half);
}
