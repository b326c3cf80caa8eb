import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { tableFrame } from './frames';
import { lookupOf } from './interpolation';
import { transformed, unknownTransformations } from './transformations';

// Grafana's transformer looks there for a dashboard of its own.
beforeAll(() => void vi.stubGlobal('window', {}));
afterAll(() => void vi.unstubAllGlobals());

const answer = (value: string) => [
  { metric: { slo: 'a' }, values: [[10, value] as [number, string]] },
  { metric: { slo: 'b' }, values: [[10, '2'] as [number, string]] },
];
const tables = [tableFrame({ refId: 'A' }, answer('0.9'), false), tableFrame({ refId: 'B' }, answer('0.5'), false)];

test('tables are merged, and their columns chosen, ordered and named', async () => {
  const [frame, ...rest] = await transformed(
    tables,
    [
      { id: 'merge', options: {} },
      {
        id: 'organize',
        options: {
          includeByName: { slo: true, 'Value #A': true, 'Value #B': true },
          renameByName: { slo: 'objective', 'Value #A': '$name' },
          indexByName: { slo: 0, 'Value #B': 1, 'Value #A': 2 },
        },
      },
    ],
    lookupOf({ name: 'must be good' }),
  );
  expect(rest).toEqual([]);
  expect(frame!.fields.map(({ name, config, values }) => [config.displayName ?? name, values])).toEqual([
    ['objective', ['a', 'b']],
    ['Value #B', [0.5, 2]],
    ['must be good', [0.9, 2]],
  ]);
});

test('rows are sorted', async () => {
  const sort = { id: 'sortBy', options: { sort: [{ field: 'Value #A', desc: true }] } };
  const [frame] = await transformed([tables[0]!], [sort], lookupOf({}));
  expect(frame!.fields.find(({ name }) => name === 'Value #A')!.values).toEqual([2, 0.9]);
});

test('values are reduced', async () => {
  const [frame] = await transformed(
    tables.slice(0, 1),
    [{ id: 'reduce', options: { reducers: ['max'] } }],
    lookupOf({}),
  );
  expect(frame!.fields.map(({ name, values }) => [name, values.at(-1)])).toContainEqual(['Max', 2]);
});

test('those that this viewer does not have are named, unless they are switched off', () => {
  const configs = [
    { id: 'organize', options: {} },
    { id: 'spatial', options: {} },
    { id: 'heatmap', options: {}, disabled: true },
  ];
  expect(unknownTransformations(configs)).toEqual(['spatial']);
});
