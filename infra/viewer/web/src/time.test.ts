import { expect, test } from 'vitest';
import { between, moved, parseTime, rangeOf, spanOf, zoomedOut } from './time';

test('a time is relative, in milliseconds, or a date', () => {
  expect(parseTime('1583020800000', false)?.valueOf()).toBe(1583020800000);
  expect(parseTime('2020-03-01T00:00:00.000Z', false)?.valueOf()).toBe(1583020800000);
  expect(Math.abs(parseTime('now-15m', false)!.valueOf() - (Date.now() - 900_000))).toBeLessThan(1000);
  expect(parseTime('yesterday', false)).toBeUndefined();
});

test('a range that makes no sense is the last 15 minutes', () => {
  for (const span of [
    { from: 'x', to: 'now' },
    { from: 'now', to: 'now-1h' },
  ]) {
    const range = rangeOf(span);
    expect(range.to.valueOf() - range.from.valueOf()).toBe(900_000);
    expect(range.raw).toEqual({ from: 'now-15m', to: 'now' });
  }
});

test('a range is written as it was read', () => {
  expect(spanOf(rangeOf({ from: 'now-1h', to: 'now' }).raw)).toEqual({ from: 'now-1h', to: 'now' });
  expect(spanOf(rangeOf(between(1583020800000, 1583024400000)).raw)).toEqual({
    from: '1583020800000',
    to: '1583024400000',
  });
});

test('moving goes by half, zooming out doubles around the middle', () => {
  const range = rangeOf(between(1_000_000_000_000, 1_000_000_010_000));
  expect(moved(range, -1)).toEqual(between(999_999_995_000, 1_000_000_005_000));
  expect(moved(range, 1)).toEqual(between(1_000_000_005_000, 1_000_000_015_000));
  expect(zoomedOut(range)).toEqual(between(999_999_995_000, 1_000_000_015_000));
});
