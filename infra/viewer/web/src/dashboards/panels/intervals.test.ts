import { expect, test } from 'vitest';
import { intervalAt, stateIntervals } from './intervals';

test('a state lasts until the next sample, equal neighbours are one', () => {
  expect(stateIntervals([0, 5, 10, 15], [1, 1, 0, 1], 5, 100)).toEqual([
    { from: 0, to: 10, value: 1 },
    { from: 10, to: 15, value: 0 },
    { from: 15, to: 20, value: 1 },
  ]);
  expect(stateIntervals([0, 5], [1, 1], 5, 100, false)).toEqual([
    { from: 0, to: 5, value: 1 },
    { from: 5, to: 10, value: 1 },
  ]);
});

test('what nobody measured has no state', () => {
  expect(stateIntervals([0, 5, 30], [1, 1, 1], 5, 100)).toEqual([
    { from: 0, to: 10, value: 1 },
    { from: 30, to: 35, value: 1 },
  ]);
  expect(stateIntervals([0, 5, 10], [1, NaN, null], 5, 100)).toEqual([{ from: 0, to: 5, value: 1 }]);
});

test('nothing lasts longer than what is shown', () => {
  expect(stateIntervals([0, 5], [1, 0], 5, 7)).toEqual([
    { from: 0, to: 5, value: 1 },
    { from: 5, to: 7, value: 0 },
  ]);
});

test('a time is in the interval that begins then', () => {
  const intervals = stateIntervals([0, 5], [1, 0], 5, 100);
  expect(intervalAt(intervals, 5)?.value).toBe(0);
  expect(intervalAt(intervals, 10)).toBeUndefined();
});
