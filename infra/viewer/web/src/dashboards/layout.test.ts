import { expect, test } from 'vitest';
import { interpolate } from './interpolation';
import { boxesOf, place } from './layout';
import type { Panel } from './model';
import { ALL, type Variable } from './variables';

const panel = (id: number, x: number, y: number, w: number, h: number, more: Partial<Panel> = {}): Panel => ({
  id,
  type: 'stat',
  gridPos: { x, y, w, h },
  ...more,
});
const job: Variable = {
  definition: { type: 'query', name: 'job', multi: true, includeAll: true },
  options: ['a', 'b', 'c'].map((value) => ({ value, text: value.toUpperCase() })),
  selected: [ALL],
};
const none = new Set<string>();
const places = (panels: Panel[], toggled: ReadonlySet<string> = none) =>
  place(panels, [job], toggled).map(({ key, grid }) => [key, grid.x, grid.y, grid.w, grid.h]);

test('panels are where the file has them, without holes', () => {
  expect(places([panel(2, 12, 3, 12, 8), panel(1, 0, 3, 12, 8), panel(3, 0, 30, 24, 4)])).toEqual([
    ['panel-1', 0, 0, 12, 8],
    ['panel-2', 12, 0, 12, 8],
    ['panel-3', 0, 8, 24, 4],
  ]);
});

test('a closed row has its panels inside, and what follows comes up', () => {
  const panels = [
    panel(1, 0, 0, 24, 1, { type: 'row', collapsed: true, panels: [panel(2, 0, 1, 24, 8)] }),
    panel(3, 0, 1, 24, 1, { type: 'row' }),
    panel(4, 0, 2, 24, 8),
  ];
  expect(places(panels)).toEqual([
    ['row-1', 0, 0, 24, 1],
    ['row-3', 0, 1, 24, 1],
    ['panel-4', 0, 2, 24, 8].map((each) => (each === 'panel-4' ? 'row-3-panel-4' : each)),
  ]);
  expect(places(panels, new Set(['row-1', 'row-3']))).toEqual([
    ['row-1', 0, 0, 24, 1],
    ['row-1-panel-2', 0, 1, 24, 8],
    ['row-3', 0, 9, 24, 1],
  ]);
});

test('a panel is repeated beside itself for each value, and pushes down what follows', () => {
  const panels = [panel(1, 0, 0, 24, 4, { repeat: 'job', maxPerRow: 2 }), panel(2, 0, 4, 24, 8)];
  expect(places(panels)).toEqual([
    ['panel-1-a', 0, 0, 12, 4],
    ['panel-1-b', 12, 0, 12, 4],
    ['panel-1-c', 0, 4, 12, 4],
    ['panel-2', 0, 8, 24, 8],
  ]);
});

test('a panel is repeated below itself', () => {
  const panels = [panel(1, 0, 0, 12, 4, { repeat: 'job', repeatDirection: 'v' }), panel(2, 12, 0, 12, 4)];
  expect(places(panels)).toEqual([
    ['panel-1-a', 0, 0, 12, 4],
    ['panel-1-b', 0, 4, 12, 4],
    ['panel-1-c', 0, 8, 12, 4],
    ['panel-2', 12, 0, 12, 4],
  ]);
});

test('a row is repeated with its panels, each with its own value', () => {
  const placed = place(
    [panel(1, 0, 0, 24, 1, { type: 'row', repeat: 'job' }), panel(2, 0, 1, 24, 4)],
    [{ ...job, selected: ['a', 'b'] }],
    none,
  );
  expect(placed.map(({ key, grid }) => [key, grid.y])).toEqual([
    ['row-1-a', 0],
    ['row-1-a-panel-2', 1],
    ['row-1-b', 5],
    ['row-1-b-panel-2', 6],
  ]);
  expect(placed.map(({ own }) => interpolate('$job', own!))).toEqual(['A', 'A', 'B', 'B']);
});

test('on a small screen panels are under each other, at its whole width', () => {
  const boxes = boxesOf(place([panel(1, 0, 0, 4, 4), panel(2, 4, 0, 20, 8, { type: 'timeseries' })], [], none), 384);
  expect(boxes.map(({ left, top, width, height }) => [left, top, width, height])).toEqual([
    [0, 0, 384, 106],
    [0, 114, 384, 296],
  ]);
});

test('on a wide screen they share it, with gaps of 8 pixels', () => {
  const boxes = boxesOf(place([panel(1, 0, 0, 12, 4), panel(2, 12, 0, 12, 4)], [], none), 1384);
  expect(boxes.map(({ left, width }) => [left, width])).toEqual([
    [0, 688],
    [696, 688],
  ]);
});
