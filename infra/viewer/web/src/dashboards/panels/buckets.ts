// The cells of a heatmap: how much was in each bucket at each time.
import { type DataFrame, FieldType, getFieldDisplayName } from '@grafana/data';

export interface Bucket {
  /** Its upper limit as a text, or what the series is called. */
  name: string;
  /** The upper limit, or NaN where the name is no number. */
  limit: number;
}

export interface Cells {
  times: number[];
  /** From the lowest. */
  buckets: Bucket[];
  /** By bucket, then by time. Null where nobody measured. */
  values: (number | null)[][];
  /** Milliseconds between two times. */
  step: number;
  most: number;
  least: number;
}

const limitOf = (name: string) =>
  name === '+Inf' || name === 'Inf' ? Infinity : name.trim() === '' ? NaN : Number(name);

/** The cells of frames with one bucket for each number field. Values at or below `hidden` are left out. */
export function cellsOf(frames: DataFrame[], hidden = 1e-9): Cells {
  const columns = frames.flatMap((frame) => {
    const time = frame.fields.find(({ type }) => type === FieldType.time);
    if (!time) return [];
    return frame.fields
      .filter(({ type }) => type === FieldType.number)
      .map((field) => ({ name: getFieldDisplayName(field, frame, frames), time, field }));
  });
  const times = [...new Set(columns.flatMap(({ time }) => time.values as number[]))].sort((a, b) => a - b);
  const places = new Map(times.map((time, index) => [time, index]));
  let [least, most] = [Infinity, -Infinity];
  const values = columns.map(({ time, field }) => {
    const row = new Array<number | null>(times.length).fill(null);
    field.values.forEach((value: number | null, index: number) => {
      if (value === null || Number.isNaN(value) || value <= hidden) return;
      row[places.get(time.values[index])!] = value;
      least = Math.min(least, value);
      most = Math.max(most, value);
    });
    return row;
  });
  const gaps = times.slice(1).map((time, index) => time - times[index]!);
  const step = columns[0]?.time.config.interval ?? (gaps.length > 0 ? Math.min(...gaps) : 60_000);
  return {
    times,
    buckets: columns.map(({ name }) => ({ name, limit: limitOf(name) })),
    values,
    step,
    least: Number.isFinite(least) ? least : 0,
    most: Number.isFinite(most) ? most : 0,
  };
}

/** Which of so many colours a value has, from 0. */
export function colourIndex(value: number, least: number, most: number, colours: number): number {
  if (!(most > least)) return colours - 1;
  const part = (value - least) / (most - least);
  return Math.max(0, Math.min(colours - 1, Math.floor(part * colours)));
}

/** The bucket in words: `5 ms to 10 ms`. */
export function between(buckets: Bucket[], index: number, written: (limit: number) => string): string {
  const { name, limit } = buckets[index]!;
  if (Number.isNaN(limit)) return name;
  const below = buckets[index - 1]?.limit;
  if (limit === Infinity) return below === undefined ? 'all' : `above ${written(below)}`;
  return below === undefined ? `up to ${written(limit)}` : `${written(below)} to ${written(limit)}`;
}
