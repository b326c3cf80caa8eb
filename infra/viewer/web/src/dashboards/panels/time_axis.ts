// What the plots that are drawn here have in common with Grafana's own: the time axis and the crosshair.
import type { GrafanaTheme2, TimeRange } from '@grafana/data';
import { AxisPlacement, DashboardCursorSync, ScaleDirection, ScaleOrientation } from '@grafana/schema';
import { UPlotConfigBuilder } from '@grafana/ui';
import { CROSSHAIR } from '../context';

export function timeConfig(
  theme: GrafanaTheme2,
  timeZone: string,
  getRange: () => TimeRange,
  sync: DashboardCursorSync | undefined,
): UPlotConfigBuilder {
  const builder = new UPlotConfigBuilder(timeZone);
  builder.addScale({
    scaleKey: 'x',
    isTime: true,
    orientation: ScaleOrientation.Horizontal,
    direction: ScaleDirection.Right,
    range: () => [getRange().from.valueOf(), getRange().to.valueOf()],
  });
  builder.addAxis({
    scaleKey: 'x',
    isTime: true,
    placement: AxisPlacement.Bottom,
    timeZone,
    theme,
    grid: { show: false },
  });
  builder.setCursor({
    points: { show: false },
    ...(sync && { sync: { key: CROSSHAIR, scales: ['x', null] } }),
  });
  builder.setPrepData(() => []);
  return builder;
}
