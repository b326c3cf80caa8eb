import { expect, test } from 'vitest';
import { arc, partOf } from './arc';

test('a value fills its part of the dial, and no more than all of it', () => {
  expect([25, -5, 500, NaN].map((value) => partOf(value))).toEqual([0.25, 0, 1, 0]);
  expect(partOf(0.5, 0, 1)).toBe(0.5);
});

test('the dial is open at the bottom', () => {
  expect(arc(0, 1, 10, 0, 0)).toBe('M -8.66 5.00 A 10 10 0 1 1 8.66 5.00');
  expect(arc(0, 0.5, 10, 0, 0)).toBe('M -8.66 5.00 A 10 10 0 0 1 0.00 -10.00');
});
