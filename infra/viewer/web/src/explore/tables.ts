// The latest value of each series as rows, with all labels as columns.
import type { Labels, Series } from '../prometheus';
import type { Answer } from './ask';

export interface Row {
  /** Of which query, from 1. */
  query: number;
  labels: Labels;
  /** As Prometheus writes it. Undefined for a native histogram. */
  value?: string;
}
export interface Rows {
  /** The names of the labels: the metric's first, the others by name. */
  labels: string[];
  rows: Row[];
}

export function latest(answers: Pick<Answer, 'instant'>[]): Rows {
  const rows = answers.flatMap(({ instant }, index) =>
    instant.map((series): Row => ({ query: index + 1, labels: series.metric, value: series.values.at(-1)?.[1] })),
  );
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.labels)))];
  const labels = names.filter((name) => name !== '__name__').sort();
  return { labels: names.includes('__name__') ? ['__name__', ...labels] : labels, rows };
}

export const MOST_SERIES = 100;

/** The first series of all queries together, as many as can be drawn, and how many there are. */
export function drawable(answers: Pick<Answer, 'range'>[]): { series: Series[][]; all: number } {
  let room = MOST_SERIES;
  const series = answers.map(({ range }) => {
    const some = range.slice(0, room);
    room -= some.length;
    return some;
  });
  return { series, all: answers.reduce((sum, { range }) => sum + range.length, 0) };
}
