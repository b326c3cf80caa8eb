// What the panels of a dashboard have in common: its time range, its variables, and the crosshair.
import type { EventBus, TimeRange } from '@grafana/data';
import { createContext, useContext } from 'react';
import type { Span } from '../time';
import type { Lookup } from './interpolation';
import type { Dashboard } from './model';
import type { AlertRegion } from './annotations';
import type { Variable } from './variables';

export interface Shown {
  dashboard: Dashboard;
  span: Span;
  range: TimeRange;
  timeZone: string;
  /** Counts the refreshes. */
  round: number;
  variables: Variable[];
  lookup: Lookup;
  /** Changes when a selection does. */
  selection: string;
  annotations: AlertRegion[];
  bus: EventBus;
  setSpan: (span: Span) => void;
  /** Where an address of a dashboard or a panel leads, with times and selections put in where its link says so. */
  goTo: (address: string) => void;
  view: (panel: string | undefined) => void;
}

export const ShownContext = createContext<Shown | undefined>(undefined);

export function useShown(): Shown {
  const shown = useContext(ShownContext);
  if (!shown) throw new Error('a panel is drawn outside of a dashboard');
  return shown;
}

/** The name under which plots share their crosshair. */
export const CROSSHAIR = '__global_';
