import { expect, test } from 'vitest';
import type { Series } from '../prometheus';
import { drawable, latest } from './tables';

const series = (metric: Record<string, string>, ...values: [number, string][]): Series => ({ metric, values });

test('a row has the labels and the latest value of a series, a column is there for each label of any', () => {
  const first = [series({ __name__: 'up', job: 'a' }, [1, '1']), series({ __name__: 'up', instance: 'b' }, [1, '0'])];
  const second = [series({}, [1, '5'], [2, 'NaN']), series({ job: 'h' })];
  expect(latest([{ instant: first }, { instant: second }])).toEqual({
    labels: ['__name__', 'instance', 'job'],
    rows: [
      { query: 1, labels: { __name__: 'up', job: 'a' }, value: '1' },
      { query: 1, labels: { __name__: 'up', instance: 'b' }, value: '0' },
      { query: 2, labels: {}, value: 'NaN' },
      { query: 2, labels: { job: 'h' }, value: undefined },
    ],
  });
});

test('of more than a hundred series the first hundred of all queries are drawn', () => {
  const many = (count: number) => Array.from({ length: count }, (_, index) => series({ index: String(index) }));
  const { series: drawn, all } = drawable([{ range: many(60) }, { range: many(60) }, { range: many(5) }]);
  expect(drawn.map((some) => some.length)).toEqual([60, 40, 0]);
  expect(all).toBe(125);
});
