import { expect, test } from 'vitest';
import { rangeOf } from '../time';
import { lookupOf } from './interpolation';
import type { Dashboard, Panel, Target } from './model';
import { asked, prepared, rangeFor, sourceType } from './queries';

const dashboard: Dashboard = {
  uid: 'x',
  title: 'X',
  __inputs: [{ name: 'DS_PROMETHEUS', pluginId: 'prometheus' }],
};
const panel = (targets: Target[], more: Partial<Panel> = {}): Panel => ({
  id: 1,
  type: 'stat',
  gridPos: { x: 0, y: 0, w: 1, h: 1 },
  targets,
  ...more,
});
const nothing = lookupOf({});
const range = rangeOf({ from: '1583020800000', to: '1583021700000' });

test('hidden and empty queries are not asked', () => {
  const { targets } = asked(
    panel([
      { refId: 'A', expr: 'a' },
      { refId: 'B', expr: 'b', hide: true },
      { refId: 'C', expr: ' ' },
    ]),
    dashboard,
    nothing,
  );
  expect(targets.map(({ refId }) => refId)).toEqual(['A']);
});

test('queries without a letter get theirs', () => {
  const { targets } = asked(panel([{ expr: 'a' }, { expr: 'b' }] as Target[]), dashboard, nothing);
  expect(targets.map(({ refId }) => refId)).toEqual(['A', 'B']);
});

test.each([
  [undefined, undefined],
  [null, undefined],
  ['Prometheus', undefined],
  ['${DS_PROMETHEUS}', 'prometheus'],
  [{ type: 'prometheus', uid: 'x' }, 'prometheus'],
  [{ uid: '$datasource' }, undefined],
  [{ type: 'loki', uid: 'x' }, 'loki'],
  [{ type: 'datasource', uid: '-- Dashboard --' }, '-- Dashboard --'],
])('the source %o is of the type %s', (source, expected) => {
  expect(sourceType(source, dashboard, lookupOf({ datasource: 'prometheus' }))).toBe(expected);
});

test('a query of another source is named and not asked', () => {
  const found = asked(
    panel([
      { refId: 'A', expr: '{job="x"}', datasource: { type: 'loki' } },
      { refId: 'B', expr: 'up', datasource: { type: 'prometheus' } },
    ]),
    dashboard,
    nothing,
  );
  expect(found.targets.map(({ refId }) => refId)).toEqual(['B']);
  expect(found.unknownSources).toEqual(['loki']);
});

test('a query has its intervals, variables and times put in', () => {
  const lookup = lookupOf({ step: '30s', job: 'a' });
  const target = { refId: 'A', expr: 'rate(x{job="$job"}[$__rate_interval])', interval: '$step' };
  const { expr, step, start, end } = prepared(panel([target]), target, range, 600, lookup);
  expect([expr, step, start, end]).toEqual(['rate(x{job="a"}[120s])', 30, 1583020800, 1583021700]);
});

test('a panel can have a range of its own, and an earlier one', () => {
  const own = rangeFor(panel([], { timeFrom: '5m', timeShift: '1h' }), range);
  expect([own.from.valueOf(), own.to.valueOf()]).toEqual([1583021700000 - 3_900_000, 1583021700000 - 3_600_000]);
  expect(rangeFor(panel([]), range)).toBe(range);
});
