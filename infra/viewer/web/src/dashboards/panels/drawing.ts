// What every kind of panel is given to draw.
import type { DataFrame, TimeRange } from '@grafana/data';
import type { Lookup } from '../interpolation';
import type { Panel } from '../model';

export interface Drawing {
  panel: Panel;
  frames: DataFrame[];
  /** Changes when names, units or colours do, and not with the values. */
  structure: number;
  range: TimeRange;
  timeZone: string;
  lookup: Lookup;
  width: number;
  height: number;
}
