import { expect, test } from 'vitest';
import { rangeOf } from '../time';
import { asAddress, asPromQL, builtIn, interpolate, type Lookup, lookupOf, references } from './interpolation';

const values: Record<string, { value: string | string[]; text?: string | string[]; pattern?: boolean }> = {
  job: { value: ['orchestrator', 'market-data'], pattern: true },
  one: { value: 'a.b', pattern: true },
  plain: { value: 'say "hi"' },
  symbol: { value: ['BRK.B'], text: ['Berkshire'], pattern: true },
};
const lookup: Lookup = (name) => (Object.hasOwn(values, name) ? values[name] : undefined);

test.each([
  ['up{job=~"$job"}', 'up{job=~"(orchestrator|market-data)"}'],
  ['up{job=~"${job}"}', 'up{job=~"(orchestrator|market-data)"}'],
  ['up{job=~"[[job]]"}', 'up{job=~"(orchestrator|market-data)"}'],
  ['up{job=~"${job:pipe}"}', 'up{job=~"orchestrator|market-data"}'],
  ['x{y=~"$one"}', 'x{y=~"a\\\\.b"}'],
  ['x{y=~"${one:raw}"}', 'x{y=~"a.b"}'],
  ['x{y="$plain"}', 'x{y="say \\"hi\\""}'],
  ['x{y=~"$symbol"}', 'x{y=~"BRK\\\\.B"}'],
  ['rate(x[$__rate_interval]) > $nobody', 'rate(x[$__rate_interval]) > $nobody'],
])('in a query, %s becomes %s', (text, expected) => {
  expect(interpolate(text, lookup, asPromQL)).toBe(expected);
});

test.each([
  ['${job:csv}', 'orchestrator,market-data'],
  ['${job:glob}', '{orchestrator,market-data}'],
  ['${one:glob}', 'a.b'],
  ['${job:regex}', '(orchestrator|market-data)'],
  ['${one:regex}', 'a\\.b'],
  ['${job:json}', '["orchestrator","market-data"]'],
  ['${job:singlequote}', "'orchestrator','market-data'"],
  ['${job:doublequote}', '"orchestrator","market-data"'],
  ['${plain:percentencode}', 'say%20%22hi%22'],
  ['${symbol:text}', 'Berkshire'],
])('the format of %s gives %s', (text, expected) => {
  expect(interpolate(text, lookup)).toBe(expected);
});

test('a title has names, an address has what is safe there', () => {
  expect(interpolate('Of $symbol', lookup)).toBe('Of Berkshire');
  expect(interpolate('Of $job', lookup)).toBe('Of orchestrator + market-data');
  expect(interpolate('/d/x?q=$plain', lookup, asAddress)).toBe('/d/x?q=say%20%22hi%22');
});

test('the dashboard and its range are there', () => {
  const range = rangeOf({ from: '1583020800000', to: '1583021700000' });
  const own = builtIn('Risk', 'risk', range);
  expect(interpolate('$__range ${__range_s} $__range_ms', own)).toBe('900s 900 900000');
  expect(interpolate('${__from} ${__to:date:seconds} ${__from:date}', own)).toBe(
    '1583020800000 1583021700 2020-03-01T00:00:00.000Z',
  );
  expect(interpolate('${__from:date:YYYY-MM}', own)).toBe('2020-03');
  expect(interpolate('${__dashboard} ${__dashboard.uid}', own)).toBe('Risk risk');
});

test('the variables of a text are found in each way of writing', () => {
  expect(references('$a ${b:csv} [[c]] ${d.e} 5$')).toEqual(['a', 'b', 'c', 'd']);
});

test('what every object has is no variable', () => {
  expect(interpolate('$constructor', lookupOf({}))).toBe('$constructor');
});
