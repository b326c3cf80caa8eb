import { expect, test } from 'vitest';
import { rangeOf } from '../time';
import { interpolate } from './interpolation';
import { aligned, intervalOf, seconds } from './interval';

const range = (length: number) => rangeOf({ from: '1583020800000', to: String(1583020800000 + length * 1000) });
const written = (interval: ReturnType<typeof intervalOf>) =>
  interpolate('$__interval $__interval_ms $__rate_interval', interval.variables);

test('a short range has a point for each scrape', () => {
  const interval = intervalOf(range(900), 600);
  expect(interval.step).toBe(5);
  expect(written(interval)).toBe('5s 5000 20s');
});

test('the least interval of a panel holds, and its rate looks back over four scrapes or one more than a step', () => {
  const interval = intervalOf(range(900), 600, '15s');
  expect(interval.step).toBe(15);
  expect(written(interval)).toBe('15s 15000 20s');
});

test('a long range has as many points as there is room for', () => {
  const interval = intervalOf(range(86_400), 600);
  expect(interval.step).toBe(120);
  expect(written(interval)).toBe('120s 120000 125s');
});

test('the least step of a query is its scrape interval', () => {
  const interval = intervalOf(range(900), 600, undefined, '30s');
  expect([interval.step, interval.panel]).toEqual([30, 5]);
  expect(interpolate('$__rate_interval', interval.variables)).toBe('120s');
});

test('no query has more points than Prometheus gives', () => {
  expect(intervalOf(range(110_000), 1_000_000).step).toBe(10);
  expect(intervalOf(range(900), 600, undefined, undefined, 2).step).toBe(10);
});

test('the ends lie on multiples of the step', () => {
  expect(aligned(rangeOf({ from: '1583020807000', to: '1583021713000' }), 15)).toEqual({
    start: 1583020800,
    end: 1583021700,
  });
});

test.each([
  ['15s', 15],
  ['>1m', 60],
  ['500ms', 0.5],
  ['30', 30],
  ['', 0],
  [undefined, 0],
  ['often', 0],
])('the duration %s has %s seconds', (text, expected) => {
  expect(seconds(text)).toBe(expected);
});
