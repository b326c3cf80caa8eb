import { expect, test } from 'vitest';
import { type AlertRegion, drawn, legendText, marksOf, namesAt, regions } from './annotations';

const definition = {
  name: 'Alerts',
  expr: 'ALERTS',
  titleFormat: '{{alertname}}',
  textFormat: '{{service}}',
  tagKeys: 'severity, nothing',
  iconColor: 'red',
};
const metric = { alertname: 'ServiceDown', service: 'desk', severity: 'critical' };

test('an alert is a region as long as it fires without a hole', () => {
  const values: [number, string][] = [
    [10, '1'],
    [15, '1'],
    [20, '1'],
    [40, '1'],
    [45, '0'],
    [50, '1'],
  ];
  const common = { title: 'ServiceDown', text: 'desk', tags: ['critical'], color: 'red', open: false, earlier: false };
  expect(regions(definition, { metric, values }, { step: 5, start: 5, end: 53 })).toEqual([
    { from: 10_000, to: 20_000, ...common, earlier: true },
    { from: 40_000, to: 40_000, ...common },
    { from: 50_000, to: 50_000, ...common, open: true },
  ]);
});

test('an alert without a title has its name', () => {
  const [region] = regions({ name: 'x' }, { metric, values: [[1, '1']] }, { step: 5, start: 0, end: 60 });
  expect(region!.title).toBe('ServiceDown');
});

test('those that are switched off, or not a query, are not asked', () => {
  expect(drawn([definition, { ...definition, enable: false }, { name: 'Annotations', builtIn: 1 }])).toEqual([
    definition,
  ]);
});

test('marks are named: all of them in the legend, and those at the pointer beside the values', () => {
  const region = (from: number, to: number, title: string, open = false): AlertRegion => ({
    ...{ from, to, title, open, text: '', tags: [], color: 'red', earlier: false },
  });
  const all = [region(0, 50, 'a'), region(10, 20, 'a'), region(40, 60, 'b', true), region(70, 80, 'c')];
  expect(namesAt(all, 15)).toEqual(['a']);
  expect(namesAt(all, 75)).toEqual(['b', 'c']);
  expect(legendText(all)).toBe('a, b, c');
  expect(legendText([...all, region(0, 1, 'd'), region(0, 1, 'e'), region(0, 1, 'f')])).toBe('a, b, c, d, 2 more');
  expect(legendText([])).toBe('');
});

test('alerts at the same place share a mark, and one that is over is not there', () => {
  const region = (from: number, to: number, title: string): AlertRegion => ({
    from,
    to,
    title,
    text: '',
    tags: [],
    color: 'red',
    open: title === 'e',
    earlier: false,
  });
  const marks = marksOf(
    [region(0, 50, 'a'), region(0, 50, 'b'), region(70, 70, 'c'), region(-9, -5, 'd'), region(90, 92, 'e')],
    0,
    100,
    (time) => time * 2,
  );
  expect(marks.map(({ left, width, regions }) => [left, width, regions.map(({ title }) => title)])).toEqual([
    [0, 100, ['a', 'b']],
    [136, 8, ['c']],
    [180, 20, ['e']],
  ]);
});
