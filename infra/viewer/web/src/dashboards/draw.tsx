// Which component draws a panel, by its type.
import type { ComponentType } from 'react';
import { loaded } from '../loaded';
import type { Drawing } from './panels/drawing';
import { BarGaugePanel, GaugePanel, StatPanel } from './panels/single';
import { TimeSeriesPanel } from './panels/timeseries';
import { isQueried, type Queried } from './model';

const TYPES: Record<Queried, ComponentType<Drawing>> = {
  timeseries: TimeSeriesPanel,
  stat: StatPanel,
  bargauge: BarGaugePanel,
  gauge: GaugePanel,
  'state-timeline': loaded<Drawing>(() => import('./panels/timeline')),
  'status-history': loaded<Drawing>(() => import('./panels/timeline')),
  heatmap: loaded<Drawing>(() => import('./panels/heatmap')),
  table: loaded<Drawing>(() => import('./panels/table')),
};

export function drawerOf(type: string): ComponentType<Drawing> | undefined {
  return isQueried(type) ? TYPES[type] : undefined;
}

/** Those that also draw what they have when there is no series: a table without rows is an answer. */
export const DRAWS_NOTHING = new Set(['stat', 'bargauge', 'gauge']);
