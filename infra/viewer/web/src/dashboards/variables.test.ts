import { expect, test } from 'vitest';
import { asPromQL, interpolate } from './interpolation';
import type { VariableDefinition } from './model';
import {
  addressOf,
  ALL,
  chosenIn,
  filtered,
  inOrder,
  listed,
  lookupIn,
  parseQuestion,
  select,
  sorted,
  type Variable,
} from './variables';

const options = (...values: string[]) => values.map((value) => ({ value, text: value }));
const definition = (more: Partial<VariableDefinition>): VariableDefinition => ({ type: 'query', name: 'x', ...more });

test.each([
  ['label_values(up, job)', { kind: 'values', label: 'job', selector: 'up' }],
  ['label_values(job)', { kind: 'values', label: 'job' }],
  [
    'label_values(up{job="a", cluster="$cluster"}, instance)',
    { kind: 'values', label: 'instance', selector: 'up{job="a", cluster="$cluster"}' },
  ],
  ['label_values({a="b"},c)', { kind: 'values', label: 'c', selector: '{a="b"}' }],
  ['label_names()', { kind: 'names' }],
  ['metrics(node_.*)', { kind: 'metrics', pattern: 'node_.*' }],
  ['query_result(max(x) by (y))', { kind: 'result', expr: 'max(x) by (y)' }],
  ['up{job="a"}', { kind: 'series', selector: 'up{job="a"}' }],
])('%s is understood', (text, expected) => {
  expect(parseQuestion(text)).toEqual(expected);
});

test('a regex leaves its group, or the named ones', () => {
  expect(filtered(['a-1', 'b-2', 'a-1'], '/a-(\\d)/')).toEqual([{ value: '1', text: '1' }]);
  expect(filtered(['name="sda" id="7"'], '/name="(?<text>\\w+)" id="(?<value>\\d+)"/g')).toEqual([
    { value: '7', text: 'sda' },
  ]);
  expect(filtered(['ab', 'cd'], 'a.*')).toEqual([{ value: 'ab', text: 'ab' }]);
});

test('options are sorted as the variable says', () => {
  const values = (sort: number, ...given: string[]) => sorted(options(...given), sort).map(({ value }) => value);
  expect(values(0, 'b', 'a')).toEqual(['b', 'a']);
  expect(values(1, 'b', 'a', 'C')).toEqual(['C', 'a', 'b']);
  expect(values(2, 'a', 'b')).toEqual(['b', 'a']);
  expect(values(3, 'n10', 'n9')).toEqual(['n9', 'n10']);
  expect(values(4, 'n9', 'n10')).toEqual(['n10', 'n9']);
  expect(values(5, 'b', 'C', 'a')).toEqual(['a', 'b', 'C']);
});

test('a custom variable has names and values, and commas in them', () => {
  expect(listed('1, five : 5, a\\,b')).toEqual([
    { value: '1', text: '1' },
    { value: '5', text: 'five' },
    { value: 'a,b', text: 'a,b' },
  ]);
});

test('what is selected comes from the address, then from the file, then from the options', () => {
  const multi = definition({ multi: true, includeAll: true, current: { value: ['b'] } });
  expect(select(multi, options('a', 'b'), ['a', 'c'])).toEqual(['a', 'c']);
  expect(select(multi, options('a', 'b'), ['All'])).toEqual([ALL]);
  expect(select(multi, options('a', 'b'), undefined)).toEqual(['b']);
  expect(select(multi, options('a'), undefined)).toEqual([ALL]);
  expect(select(definition({ current: { value: 'z' } }), options('a', 'b'), undefined)).toEqual(['a']);
  expect(select(definition({ current: { value: 'z' } }), [], undefined)).toEqual(['z']);
  expect(select(definition({ type: 'textbox', query: 'x' }), [], undefined)).toEqual(['x']);
});

test('"all" is every option, or what the file says for it, and anything while nothing is known', () => {
  const of = (more: Partial<VariableDefinition>, ...values: string[]): Variable => ({
    definition: definition({ multi: true, includeAll: true, ...more }),
    options: options(...values),
    selected: [ALL],
  });
  const written = (variable: Variable) => interpolate('{x=~"$x"}', lookupIn([variable]), asPromQL);
  expect(written(of({}, 'a', 'b.c'))).toBe('{x=~"(a|b\\\\.c)"}');
  expect(written(of({ allValue: '.+' }, 'a'))).toBe('{x=~".+"}');
  expect(written(of({}))).toBe('{x=~".*"}');
  expect(interpolate('$x', lookupIn([of({}, 'a', 'b')]))).toBe('All');
});

test('a variable comes after those that it names', () => {
  const a = definition({ name: 'a', query: 'label_values(up{b="$b"}, a)' });
  const b = definition({ name: 'b', query: { query: 'label_values(up{c=~"${c}"}, b)' } });
  const c = definition({ name: 'c', query: 'label_values(c)', regex: '/$c/' });
  expect(inOrder([a, b, c]).map(({ name }) => name)).toEqual(['c', 'b', 'a']);
});

test('an address has selections as Grafana writes them', () => {
  expect(chosenIn(new URLSearchParams('var-x=a&var-x=b&from=now-1h&var-y=%24__all'))).toEqual({
    x: ['a', 'b'],
    y: ['$__all'],
  });
  const variables: Variable[] = [
    { definition: definition({ multi: true }), options: [], selected: ['a', 'b'] },
    { definition: definition({ name: 'k', type: 'constant' }), options: [], selected: ['1'] },
    { definition: definition({ name: 's', skipUrlSync: true }), options: [], selected: ['1'] },
  ];
  expect(addressOf(variables)).toEqual([
    ['var-x', 'a'],
    ['var-x', 'b'],
  ]);
});
