import { expect, test } from 'vitest';
import type { Panel } from './model';
import { leftOut, missing } from './support';

const panel = (more: Partial<Panel>): Panel => ({ id: 1, type: 'stat', gridPos: { x: 0, y: 0, w: 1, h: 1 }, ...more });

test('a panel of a type that is not drawn says so', () => {
  expect(missing(panel({ type: 'geomap' }), [], true)).toEqual([
    "This viewer does not draw panels of the type 'geomap'.",
  ]);
  expect(missing(panel({ type: 'constructor' }), [], true)).toHaveLength(1);
  for (const type of ['timeseries', 'text', 'table']) expect(missing(panel({ type }), [], true)).toEqual([]);
});

test('a panel of a library says so', () => {
  expect(missing(panel({ type: 'library-panel-ref', libraryPanel: { name: 'Mine' } }), [], false)).toEqual([
    "The panel 'Mine' is in a library of panels, which this viewer does not have.",
  ]);
});

test('a panel whose values would be others is not drawn', () => {
  expect(missing(panel({ transformations: [{ id: 'spatial', options: {} }] }), [], true)).toEqual([
    "This viewer does not have the transformation 'spatial'.",
  ]);
});

test('a panel with some queries of another source draws the rest, and says what is left out', () => {
  const text = "This viewer does not ask the data source 'loki'.";
  expect(missing(panel({}), ['loki'], false)).toEqual([text]);
  expect(missing(panel({}), ['loki'], true)).toEqual([]);
  expect(leftOut(panel({}), ['loki'])).toEqual([text]);
});

test('an override that nobody knows is left out, and said', () => {
  const overrides = [{ matcher: { id: 'byMoon' }, properties: [] }];
  expect(leftOut(panel({ fieldConfig: { overrides } }), [])).toEqual([
    "This viewer does not have overrides of the kind 'byMoon'.",
  ]);
});
