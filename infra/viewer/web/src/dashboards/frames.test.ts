import { getFieldDisplayName } from '@grafana/data';
import { expect, test } from 'vitest';
import type { Series } from '../prometheus';
import { bucketFrames, seriesFrames, tableFrame } from './frames';
import { legendOf, nameOf } from './legend';

const target = { refId: 'A', legendFormat: '{{job}}' };

test('a legend has the values of labels, and nothing for those that are not there', () => {
  expect(legendOf('{{job}} to {{ port }}', { job: 'a', port: '1' }, 'x')).toBe('a to 1');
  expect(legendOf('{{job}} {{nobody}}', { job: 'a' }, 'x')).toBe('a ');
  expect(legendOf('limit', {}, 'x')).toBe('limit');
  expect(legendOf('', { __name__: 'up', job: 'a' }, 'x')).toBe('up{job="a"}');
  expect(legendOf('', {}, 'sum(x)')).toBe('sum(x)');
  expect(legendOf('__auto', { job: 'a' }, 'x')).toBeUndefined();
  expect(nameOf({ job: 'a', z: 'b' })).toBe('{job="a", z="b"}');
});

test('a series is a frame of times and numbers', () => {
  const [frame] = seriesFrames(
    target,
    'x',
    [
      {
        metric: { job: 'a' },
        values: [
          [1.5, '1'],
          [6.5, '+Inf'],
          [11.5, 'NaN'],
        ],
      },
    ],
    5,
  );
  expect(frame!.fields[0]!.values).toEqual([1500, 6500, 11500]);
  expect(frame!.fields[0]!.config.interval).toBe(5000);
  expect(frame!.fields[1]!.values).toEqual([1, Infinity, NaN]);
  expect(getFieldDisplayName(frame!.fields[1]!, frame, [frame!])).toBe('a');
});

test('without a legend of its own, a series is named by what tells it from the others', () => {
  const frames = seriesFrames({ refId: 'A', legendFormat: '__auto' }, 'x', [
    { metric: { job: 'a', env: 'p' }, values: [] },
    { metric: { job: 'b', env: 'p' }, values: [] },
  ]);
  expect(frames.map((frame) => getFieldDisplayName(frame.fields[1]!, frame, frames))).toEqual([
    '{env="p", job="a"}',
    '{env="p", job="b"}',
  ]);
});

test('a table has a row for each sample, and numbers its value where several queries have one', () => {
  const answer: Series[] = [
    { metric: { b: '1' }, values: [[10, '5']] },
    { metric: { a: '2', b: '3' }, values: [[10, '6']] },
  ];
  const frame = tableFrame(target, answer, true);
  expect(frame.fields.map(({ name, values }) => [name, values])).toEqual([
    ['Time', [10_000, 10_000]],
    ['a', ['', '2']],
    ['b', ['1', '3']],
    ['Value', [5, 6]],
  ]);
  expect(tableFrame(target, answer, false).fields.at(-1)!.name).toBe('Value #A');
});

test('a bucket has what is in it alone, from the lowest to +Inf', () => {
  const bucket = (le: string, ...values: string[]) => ({
    metric: { le },
    values: values.map((value, index): [number, string] => [index * 5, value]),
  });
  const frames = bucketFrames(target, 'x', [
    bucket('+Inf', '10', '4'),
    bucket('0.5', '7', '4.0000001'),
    bucket('0.1', '3', 'NaN'),
  ]);
  expect(frames.map(({ name, fields }) => [name, fields[1]!.values])).toEqual([
    ['0.1', [3, NaN]],
    ['0.5', [4, NaN]],
    ['+Inf', [3, 0]],
  ]);
});
