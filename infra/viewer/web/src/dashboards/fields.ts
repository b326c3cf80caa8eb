// Units, colours, thresholds and names of the fields, as a panel's `fieldConfig` says.
import {
  applyFieldOverrides,
  type DataFrame,
  type Field,
  type FieldConfigPropertyItem,
  FieldConfigOptionsRegistry,
  fieldMatchers,
  type FieldConfigSource,
  type FieldOverrideContext,
  getFieldDisplayName,
  getFrameDisplayName,
  type GrafanaTheme2,
  type LinkModel,
  type ScopedVars,
  type ThresholdsConfig,
  formattedValueToString,
} from '@grafana/data';
import { firstOf, interpolate, lookupOf, type Lookup, asAddress } from './interpolation';
import { resolved } from './links';
import type { Panel } from './model';

const asIs = (value: unknown) => value;
const asNumber = (value: unknown) =>
  value === null || value === undefined || value === '' ? undefined : Number(value);
const asThresholds = (value: ThresholdsConfig | undefined) =>
  value && {
    ...value,
    // JSON has no -Infinity: the lowest step has no value.
    steps: value.steps.map((step) => ({ ...step, value: step.value ?? -Infinity })),
  };

// Names refer to labels and variables.
const asName = (value: string | undefined, { replaceVariables, field }: FieldOverrideContext) =>
  value && replaceVariables ? replaceVariables(value, field?.state?.scopedVars) : value;

type Process = (value: never, context: FieldOverrideContext) => unknown;

const STANDARD: Record<string, Process> = {
  unit: asIs,
  min: asNumber,
  max: asNumber,
  fieldMinMax: asIs,
  decimals: asNumber,
  displayName: asName,
  noValue: asIs,
  thresholds: asThresholds,
  mappings: asIs,
  links: asIs,
  color: asIs,
  filterable: asIs,
  description: asIs,
};

const item = (id: string, process: Process, custom: boolean) =>
  ({
    id: custom ? `custom.${id}` : id,
    path: id,
    name: id,
    isCustom: custom,
    process,
    shouldApply: () => true,
  }) as unknown as FieldConfigPropertyItem;

/** What can be configured: the standard properties, and those of the panel's type that its file or its defaults name. */
function registryOf({ defaults, overrides }: FieldConfigSource): FieldConfigOptionsRegistry {
  const custom = new Set(Object.keys(defaults.custom ?? {}));
  for (const { properties } of overrides)
    for (const { id } of properties) if (id.startsWith('custom.')) custom.add(id.slice('custom.'.length));
  return new FieldConfigOptionsRegistry(() => [
    ...Object.entries(STANDARD).map(([id, process]) => item(id, process, false)),
    ...[...custom].map((id) => item(id, asIs, true)),
  ]);
}

// What Grafana takes where a file says nothing.
const LINES = {
  drawStyle: 'line',
  lineInterpolation: 'linear',
  lineWidth: 1,
  fillOpacity: 0,
  gradientMode: 'none',
  barAlignment: 0,
  showPoints: 'auto',
  pointSize: 5,
  spanNulls: false,
  axisPlacement: 'auto',
  axisColorMode: 'text',
  axisBorderShow: false,
  axisCenteredZero: false,
  scaleDistribution: { type: 'linear' },
  stacking: { mode: 'none', group: 'A' },
  thresholdsStyle: { mode: 'off' },
  hideFrom: { legend: false, tooltip: false, viz: false },
};
const CUSTOM: Record<string, object> = {
  timeseries: LINES,
  'state-timeline': { lineWidth: 0, fillOpacity: 70, spanNulls: false },
  'status-history': { lineWidth: 1, fillOpacity: 70 },
  table: { align: 'auto', cellOptions: { type: 'auto' }, inspect: false },
};
const COLOURS: Record<string, string> = { timeseries: 'palette-classic', 'state-timeline': 'thresholds' };

export function configOf(panel: Panel): FieldConfigSource {
  const { defaults = {}, overrides = [] } = panel.fieldConfig ?? {};
  return {
    defaults: {
      ...defaults,
      color: defaults.color?.mode ? defaults.color : { mode: COLOURS[panel.type] ?? 'thresholds' },
      thresholds: asThresholds(defaults.thresholds) ?? {
        mode: 'absolute' as ThresholdsConfig['mode'],
        steps: [
          { value: -Infinity, color: 'green' },
          { value: 80, color: 'red' },
        ],
      },
      custom: { ...CUSTOM[panel.type], ...defaults.custom },
    },
    overrides,
  };
}

/** The kinds of overrides that a panel has and nobody here knows. */
export function unknownMatchers(panel: Panel): string[] {
  const ids = (panel.fieldConfig?.overrides ?? []).map(({ matcher }) => matcher.id);
  return [...new Set(ids.filter((id) => !fieldMatchers.getIfExists(id)))];
}

interface Context {
  frame?: DataFrame;
  field?: Field;
  data?: DataFrame[];
  rowIndex?: number;
  calculatedValue?: { numeric: number; text: string };
}

/** What names and links of fields may refer to: `${__field.labels.job}`, `${__value.raw}`, `${__series.name}`. */
function ofField({ frame, field, data, rowIndex, calculatedValue }: Context): Lookup {
  const values: Record<string, string> = {};
  if (field) {
    values['__field.name'] = field.name;
    values['__field.displayName'] = getFieldDisplayName(field, frame, data);
    for (const [label, value] of Object.entries(field.labels ?? {})) values[`__field.labels.${label}`] = value;
    const raw = rowIndex === undefined ? calculatedValue?.numeric : field.values[rowIndex];
    if (raw !== undefined) {
      values['__value.raw'] = String(raw);
      values['__value.numeric'] = String(raw);
      values['__value.text'] = field.display ? formattedValueToString(field.display(raw)) : String(raw);
    }
  }
  if (frame) {
    values['__series.name'] = getFrameDisplayName(frame);
    if (rowIndex !== undefined)
      for (const each of frame.fields)
        values[`__data.fields.${getFieldDisplayName(each, frame, data)}`] = String(each.values[rowIndex]);
  }
  return lookupOf(values);
}

/** What the components call to put variables into texts. */
export function replacer(lookup: Lookup) {
  return (text: string, scoped?: ScopedVars, format?: unknown): string => {
    const context = scoped?.__dataContext?.value as Context | undefined;
    const own = lookupOf(
      Object.fromEntries(
        Object.entries(scoped ?? {})
          .filter(([, each]) => each && typeof each.value !== 'object')
          .map(([name, each]) => [name, String(each!.value)]),
      ),
    );
    const plain = (text ?? '').replace(/\$\{__data\.fields\["?([^"\]}]+)"?\]\}/g, '${__data.fields.$1}');
    return interpolate(plain, firstOf(context && ofField(context), own, lookup), format ? asAddress : undefined);
  };
}

/** The links of a value: they may refer to it, to its series and to variables. */
export function dataLinks(
  field: Field,
  frame: DataFrame,
  rowIndex: number,
  lookup: Lookup,
  goTo: (address: string) => void,
): LinkModel<Field>[] {
  const put = replacer(lookup);
  const scope = { __dataContext: { value: { field, frame, data: [frame], rowIndex } } };
  return (field.config.links ?? []).map(({ title, url = '', targetBlank }) => {
    const { href, internal } = resolved(put(url, scope, 'uriencode'));
    const here = internal && !targetBlank;
    return {
      title: put(title, scope) || href,
      href,
      target: here ? '_self' : '_blank',
      origin: field,
      ...(here && { onClick: () => goTo(href) }),
    };
  });
}

/** The frames with each field's configuration, and with what turns its values into text and colour. */
export function configured(data: DataFrame[], panel: Panel, lookup: Lookup, theme: GrafanaTheme2, timeZone: string) {
  const fieldConfig = configOf(panel);
  return applyFieldOverrides({
    data,
    fieldConfig,
    fieldConfigRegistry: registryOf(fieldConfig),
    replaceVariables: replacer(lookup),
    theme,
    timeZone,
  });
}
