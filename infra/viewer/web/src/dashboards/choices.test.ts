import { expect, test } from 'vitest';
import { chosenSeries, chosenValues } from './choices';

const all = ['a', 'b', 'c'];

test('a click in the legend isolates a series, another one brings all back', () => {
  expect(chosenSeries(undefined, 'a', true, all)).toEqual(['a']);
  expect(chosenSeries(['a'], 'b', true, all)).toEqual(['b']);
  expect(chosenSeries(['a'], 'a', true, all)).toBeUndefined();
});

test('with Ctrl, a series is added or taken away', () => {
  expect(chosenSeries(undefined, 'a', false, all)).toEqual(['b', 'c']);
  expect(chosenSeries(['a'], 'b', false, all)).toEqual(['a', 'b']);
  expect(chosenSeries(['a', 'b'], 'c', false, all)).toBeUndefined();
  expect(chosenSeries(['a'], 'a', false, all)).toBeUndefined();
});

test('all and single values do not go together', () => {
  expect(chosenValues(['$__all'], ['$__all', 'a'], true)).toEqual(['a']);
  expect(chosenValues(['a'], ['a', '$__all'], true)).toEqual(['$__all']);
  expect(chosenValues(['a'], [], true)).toEqual(['$__all']);
  expect(chosenValues(['a'], [], false)).toEqual([]);
});
