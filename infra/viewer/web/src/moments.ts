// Writes times and durations for people. Times are in UTC, as on the dashboards.
import { useEffect, useState } from 'react';

const UNITS = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
  ['s', 1],
] as const;

/** A duration in its largest unit, and the next one from hours on: '3 s', '12 min', '2 h 5 min'. */
export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const first = UNITS.findIndex(([, size]) => seconds >= size);
  if (first === -1) return '0 s';
  const [unit, size] = UNITS[first]!;
  const next = UNITS[first + 1];
  const rest = next && size >= 3600 ? Math.floor((seconds % size) / next[1]) : 0;
  return `${Math.floor(seconds / size)} ${unit}${rest ? ` ${rest} ${next![0]}` : ''}`;
}

/** How long ago a time is. A clock that is ahead of this one makes no sentence about the future. */
export function ago(time: number, now: number): string {
  return now - time < 1000 ? 'just now' : `${duration(now - time)} ago`;
}

/** The time of day, with the date in front if it is not today's: '21:40:12 UTC', '2020-03-05 21:40:12 UTC'. */
export function clock(time: number, now: number): string {
  const text = new Date(time).toISOString();
  const day = text.slice(0, 10);
  const today = new Date(now).toISOString().slice(0, 10);
  return `${day === today ? '' : `${day} `}${text.slice(11, 19)} UTC`;
}

/** The time, in milliseconds, which moves on every second. */
export function useNow(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
