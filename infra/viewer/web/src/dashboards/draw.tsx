// Which component draws a panel, by its type.
import type { ComponentType } from 'react';
import { loaded } from '../loaded';
import type { Drawing } from './panels/drawing';
import { BarGaugePanel, GaugePanel, StatPanel } from './panels/single';
import { TimeSeriesPanel } from './panels/timeseries';
import { isQueried, type Panel, type Queried } from './model';

const TYPES: Record<Queried, ComponentType<Drawing> & { load?: () => Promise<void> }> = {
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

/** Starts to load what draws these panels, before their answers are there. */
export function loadDrawers(panels: Panel[]): void {
  for (const type of new Set(panels.map((panel) => panel.type)))
    if (isQueried(type)) TYPES[type].load?.().catch(() => undefined); // the panel says what is wrong
}

/** Those that also draw what they have when there is no series: a table without rows is an answer. */
export const DRAWS_NOTHING = new Set(['stat', 'bargauge', 'gauge']);
