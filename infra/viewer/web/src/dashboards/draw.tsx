// Which component draws a panel, by its type.
import { type ComponentType, lazy } from 'react';
import type { Drawing } from './panels/drawing';
import { BarGaugePanel, GaugePanel, StatPanel } from './panels/single';
import { TimeSeriesPanel } from './panels/timeseries';
import { isQueried, type Queried } from './support';

const TYPES: Record<Queried, ComponentType<Drawing>> = {
  timeseries: TimeSeriesPanel,
  stat: StatPanel,
  bargauge: BarGaugePanel,
  gauge: GaugePanel,
  'state-timeline': lazy(() => import('./panels/timeline')),
  'status-history': lazy(() => import('./panels/timeline')),
  heatmap: lazy(() => import('./panels/heatmap')),
  table: lazy(() => import('./panels/table')),
};

export function drawerOf(type: string): ComponentType<Drawing> | undefined {
  return isQueried(type) ? TYPES[type] : undefined;
}

/** Those that also draw what they have when there is no series: a table without rows is an answer. */
export const DRAWS_NOTHING = new Set(['stat', 'bargauge', 'gauge']);
