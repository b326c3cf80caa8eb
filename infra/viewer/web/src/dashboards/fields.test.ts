import { createTheme, formattedValueToString, getFieldDisplayName } from '@grafana/data';
import { expect, test } from 'vitest';
import { configured, dataLinks, unknownMatchers } from './fields';
import { seriesFrames } from './frames';
import { lookupOf } from './interpolation';
import type { Panel } from './model';

const theme = createTheme();
const frames = seriesFrames({ refId: 'A', legendFormat: '{{job}}' }, 'x', [
  { metric: { job: 'loss' }, values: [[10, '0.05']] },
  { metric: { job: 'limit' }, values: [[10, '1']] },
]);
const panel = (fieldConfig: object): Panel => ({
  id: 1,
  type: 'timeseries',
  gridPos: { x: 0, y: 0, w: 1, h: 1 },
  fieldConfig: fieldConfig as Panel['fieldConfig'] & object,
});
const fieldsOf = (fieldConfig: object) =>
  configured(frames, panel(fieldConfig), lookupOf({ unit: 'ms' }), theme, 'utc').map(({ fields }) => fields[1]!);

test('a value has its unit and decimals', () => {
  const [loss] = fieldsOf({ defaults: { unit: 'percentunit', decimals: 1 } });
  expect(formattedValueToString(loss!.display!(0.05))).toBe('5.0%');
});

test.each([
  [{ id: 'byName', options: 'limit' }],
  [{ id: 'byRegexp', options: '/limit$/' }],
  [{ id: 'byNames', options: { mode: 'include', names: ['limit'] } }],
])('an override by %o changes the field that it names', (matcher) => {
  const properties = [
    { id: 'color', value: { mode: 'fixed', fixedColor: 'red' } },
    { id: 'custom.lineStyle', value: { fill: 'dash', dash: [10, 10] } },
    { id: 'unit', value: 's' },
  ];
  const [loss, limit] = fieldsOf({
    defaults: { unit: 'short', custom: { lineWidth: 2 } },
    overrides: [{ matcher, properties }],
  });
  expect(limit!.config.color).toEqual({ mode: 'fixed', fixedColor: 'red' });
  expect(limit!.config.custom.lineStyle).toEqual({ fill: 'dash', dash: [10, 10] });
  expect(limit!.config.custom.lineWidth).toBe(2);
  expect(limit!.config.unit).toBe('s');
  expect(loss!.config.custom.lineStyle).toBeUndefined();
  expect(loss!.config.unit).toBe('short');
});

test('an override by query or by type changes every field of it', () => {
  for (const matcher of [
    { id: 'byFrameRefID', options: 'A' },
    { id: 'byType', options: 'number' },
  ]) {
    const fields = fieldsOf({ defaults: {}, overrides: [{ matcher, properties: [{ id: 'decimals', value: 3 }] }] });
    expect(fields.map(({ config }) => config.decimals)).toEqual([3, 3]);
  }
});

test('the lowest threshold, which has no value in the file, is below everything', () => {
  const steps = [
    { value: null, color: 'green' },
    { value: 1, color: 'red' },
  ];
  const [loss] = fieldsOf({ defaults: { color: { mode: 'thresholds' }, thresholds: { mode: 'absolute', steps } } });
  expect(loss!.config.thresholds!.steps[0]!.value).toBe(-Infinity);
  expect(loss!.display!(-5).color).toBe(theme.visualization.getColorByName('green'));
  expect(loss!.display!(1).color).toBe(theme.visualization.getColorByName('red'));
});

test('a mapping puts a word in the place of a value', () => {
  const mappings = [{ type: 'value', options: { '1': { text: 'TRIPPED', color: 'red' } } }];
  const [loss] = fieldsOf({ defaults: { mappings } });
  expect(loss!.display!(1).text).toBe('TRIPPED');
});

test('a name refers to labels and variables', () => {
  const [loss] = fieldsOf({ defaults: { displayName: '${__field.labels.job} in $unit' } });
  expect(getFieldDisplayName(loss!)).toBe('loss in ms');
});

test('an override that nobody knows is named', () => {
  const overrides = [
    { matcher: { id: 'byMoon' }, properties: [] },
    { matcher: { id: 'byName', options: 'x' }, properties: [] },
  ];
  expect(unknownMatchers(panel({ defaults: {}, overrides }))).toEqual(['byMoon']);
});

test('the links of a value name its series and itself, and none may run a script', () => {
  const links = [
    { title: 'Job ${__field.labels.job}', url: '/d/slo?var-job=${__field.labels.job}&at=${__value.raw}' },
    { title: 'bad', url: 'javascript:alert(1)' },
    { title: 'elsewhere', url: 'https://a.example/${unit}', targetBlank: true },
  ];
  const [frame] = configured(frames, panel({ defaults: { links } }), lookupOf({ unit: 'm/s' }), theme, 'utc');
  const went: string[] = [];

  const found = dataLinks(frame!.fields[1]!, frame!, 0, lookupOf({ unit: 'm/s' }), (address) => went.push(address));
  found[0]!.onClick!({});

  expect(found.map(({ title, href, target }) => [title, href, target])).toEqual([
    ['Job loss', '/d/slo?var-job=loss&at=0.05', '_self'],
    ['bad', '#', '_blank'],
    ['elsewhere', 'https://a.example/m%2Fs', '_blank'],
  ]);
  expect(went).toEqual(['/d/slo?var-job=loss&at=0.05']);
});
