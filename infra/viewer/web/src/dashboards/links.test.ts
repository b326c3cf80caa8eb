import { expect, test } from 'vitest';
import { lookupOf } from './interpolation';
import { destinations, resolved } from './links';
import type { Variable } from './variables';

const span = { from: 'now-15m', to: 'now' };
const variables: Variable[] = [
  { definition: { type: 'query', name: 'symbol', multi: true }, options: [], selected: ['A', 'B'] },
];
const boards = [
  { uid: 'a', title: 'A', tags: ['trading'] },
  { uid: 'b', title: 'B', tags: ['other'] },
];

test.each([
  ['/d/risk', '/d/risk', true],
  ['d/risk/name', '/d/risk/name', true],
  ['http://127.0.0.1:9099/runbooks#servicedown', '/runbooks#servicedown', true],
  ['http://127.0.0.1:9099/runbooks', '/runbooks', true],
  ['https://example.org/runbooks/x', 'https://example.org/runbooks/x', false],
  ['/alerting/list', '/alerts', true],
  ['/alerting/list?search=x', '/alerts', true],
  ['javascript:alert(1)', '#', false],
  ['//example.org', '#', false],
])('%s leads to %s', (url, href, internal) => {
  expect(resolved(url)).toEqual({ href, internal });
});

test('a link takes the time and the selections along where it says so', () => {
  const [with_, without] = destinations(
    [
      { title: 'Risk of $x', url: '/d/risk', keepTime: true, includeVars: true },
      { title: '', url: '/d/$x', targetBlank: true },
    ],
    boards,
    span,
    variables,
    lookupOf({ x: 'y z' }),
  );
  expect(with_).toEqual({
    title: 'Risk of y z',
    href: '/d/risk?from=now-15m&to=now&var-symbol=A&var-symbol=B',
    internal: true,
    newTab: false,
  });
  expect(without!.href).toBe('/d/y%20z');
});

test('a link to dashboards is one to each with its tags', () => {
  const found = destinations([{ title: 'x', type: 'dashboards', tags: ['trading'] }], boards, span, [], lookupOf({}));
  expect(found.map(({ title, href }) => [title, href])).toEqual([['A', '/d/a']]);
});
