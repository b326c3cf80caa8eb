import { expect, test } from 'vitest';
import { bucketFrames } from '../frames';
import { between, cellsOf, colourIndex } from './buckets';

const frames = bucketFrames(
  { refId: 'A' },
  'x',
  [
    {
      metric: { le: '0.1' },
      values: [
        [10, '1'],
        [15, '0'],
      ] as [number, string][],
    },
    {
      metric: { le: '+Inf' },
      values: [
        [10, '4'],
        [20, '2'],
      ] as [number, string][],
    },
  ],
  5,
);

test('a cell has what a bucket had at a time, and nothing where nobody measured or nothing was', () => {
  expect(cellsOf(frames)).toEqual({
    times: [10_000, 15_000, 20_000],
    buckets: [
      { name: '0.1', limit: 0.1 },
      { name: '+Inf', limit: Infinity },
    ],
    values: [
      [1, null, null],
      [3, null, 2],
    ],
    step: 5000,
    least: 1,
    most: 3,
  });
});

test('the most has the last colour', () => {
  expect([0, 4.9, 5, 10, 99].map((value) => colourIndex(value, 0, 10, 2))).toEqual([0, 0, 1, 1, 1]);
  expect(colourIndex(3, 3, 3, 4)).toBe(3);
});

test('a bucket is named by its limits', () => {
  const { buckets } = cellsOf(frames);
  const written = (limit: number) => `${limit} s`;
  expect([0, 1].map((index) => between(buckets, index, written))).toEqual(['up to 0.1 s', 'above 0.1 s']);
  expect(between([{ name: 'GET', limit: NaN }], 0, written)).toBe('GET');
});
