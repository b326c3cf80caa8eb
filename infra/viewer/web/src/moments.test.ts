import { expect, test } from 'vitest';
import { ago, clock, duration } from './moments';

test.each([
  [0, '0 s'],
  [999, '0 s'],
  [3400, '3 s'],
  [59_999, '59 s'],
  [60_000, '1 min'],
  [754_000, '12 min'],
  [3_600_000, '1 h'],
  [7_500_000, '2 h 5 min'],
  [86_400_000, '1 d'],
  [97_200_000, '1 d 3 h'],
  [-5000, '0 s'],
])('%d ms are %s', (milliseconds, text) => {
  expect(duration(milliseconds)).toBe(text);
});

test('a time is so long ago, and one that is ahead of this clock is now', () => {
  expect(ago(7000, 10_000)).toBe('3 s ago');
  expect(ago(9500, 10_000)).toBe('just now');
  expect(ago(60_000, 10_000)).toBe('just now');
});

test('a time of another day has its date', () => {
  const now = Date.parse('2020-03-06T12:00:00Z');
  expect(clock(Date.parse('2020-03-06T09:30:01.900Z'), now)).toBe('09:30:01 UTC');
  expect(clock(Date.parse('2020-03-05T20:59:59Z'), now)).toBe('2020-03-05 20:59:59 UTC');
});
