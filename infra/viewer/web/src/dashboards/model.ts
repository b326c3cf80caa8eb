// A dashboard as its file has it: Grafana's classic schema, as far as it is drawn here.
import type { DataTransformerConfig, FieldConfigSource } from '@grafana/data';

export interface SourceRef {
  type?: string;
  uid?: string;
}
/** Older files have the name of the source, or nothing for the default one. */
export type Source = SourceRef | string | null | undefined;

export interface Target {
  /** `A`, `B` and so on, also where the file has none. */
  refId: string;
  expr?: string;
  legendFormat?: string;
  format?: 'time_series' | 'table' | 'heatmap';
  instant?: boolean;
  range?: boolean;
  hide?: boolean;
  /** The least step: `15s`, or a variable. */
  interval?: string;
  intervalFactor?: number;
  datasource?: Source;
}

export interface Link {
  title: string;
  type?: 'link' | 'dashboards';
  url?: string;
  tooltip?: string;
  icon?: string;
  tags?: string[];
  targetBlank?: boolean;
  includeVars?: boolean;
  keepTime?: boolean;
  asDropdown?: boolean;
  placement?: string;
}

export interface Grid {
  x: number;
  y: number;
  w: number;
  h: number;
}

export interface Panel {
  id: number;
  type: string;
  title?: string;
  description?: string;
  transparent?: boolean;
  gridPos: Grid;
  datasource?: Source;
  targets?: Target[];
  interval?: string | null;
  maxDataPoints?: number | null;
  timeFrom?: string | null;
  timeShift?: string | null;
  hideTimeOverride?: boolean;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  options?: Record<string, any>;
  fieldConfig?: Partial<FieldConfigSource>;
  transformations?: DataTransformerConfig[];
  links?: Link[];
  libraryPanel?: { name?: string };
  repeat?: string | null;
  repeatDirection?: 'h' | 'v';
  maxPerRow?: number;
  // Of rows only.
  collapsed?: boolean;
  panels?: Panel[];
}

/** The types of panels that show answers of Prometheus. Texts and rows are drawn as well. */
export const QUERIED = [
  'timeseries',
  'stat',
  'bargauge',
  'gauge',
  'state-timeline',
  'status-history',
  'heatmap',
  'table',
] as const;
export type Queried = (typeof QUERIED)[number];

export function isQueried(type: string): type is Queried {
  return (QUERIED as readonly string[]).includes(type);
}

export interface VariableOption {
  text: string | string[];
  value: string | string[];
  selected?: boolean;
}

export interface VariableDefinition {
  type: string;
  name: string;
  label?: string | null;
  description?: string | null;
  /** 0 shown, 1 without its label, 2 hidden. */
  hide?: 0 | 1 | 2 | number;
  skipUrlSync?: boolean;
  query?: string | { query?: string; refId?: string };
  definition?: string;
  datasource?: Source;
  current?: { text?: string | string[]; value?: string | string[] };
  options?: VariableOption[];
  multi?: boolean;
  includeAll?: boolean;
  allValue?: string | null;
  regex?: string;
  sort?: number;
  refresh?: number;
  auto?: boolean;
  auto_min?: string;
  auto_count?: number;
}

export interface AnnotationDefinition {
  name: string;
  enable?: boolean;
  hide?: boolean;
  iconColor?: string;
  datasource?: Source;
  expr?: string;
  step?: string;
  titleFormat?: string;
  textFormat?: string;
  tagKeys?: string;
  builtIn?: number;
  type?: string;
  target?: { expr?: string; type?: string };
}

export interface Dashboard {
  uid: string;
  title: string;
  description?: string;
  tags?: string[];
  timezone?: string;
  time?: { from: string; to: string };
  refresh?: string | boolean | null;
  graphTooltip?: 0 | 1 | 2;
  links?: Link[];
  panels?: Panel[];
  rows?: unknown[];
  templating?: { list?: VariableDefinition[] };
  annotations?: { list?: AnnotationDefinition[] };
  /** What a published file asks for when it is imported. */
  __inputs?: { name: string; type?: string; pluginId?: string; value?: string }[];
}

export interface Listed {
  uid: string;
  title: string;
  description?: string;
  tags?: string[];
}
