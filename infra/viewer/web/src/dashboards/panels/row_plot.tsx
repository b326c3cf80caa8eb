// A plot of rows over time, of which uPlot has the axes and the pointer: what is in the rows is painted by who uses it.
import type { GrafanaTheme2, TimeRange } from '@grafana/data';
import { AxisPlacement, DashboardCursorSync, ScaleDirection, ScaleOrientation } from '@grafana/schema';
import { TooltipPlugin2, UPlotChart, UPlotConfigBuilder, VizLayout } from '@grafana/ui';
import type { ReactElement } from 'react';
import type uPlot from 'uplot';
import type { AlignedData } from 'uplot';
import { between } from '../../time';
import { CROSSHAIR, useShown } from '../context';

/** What stands beside the rows. */
interface Labels {
  at: number[];
  texts: string[];
  size?: number;
  hidden?: boolean;
}

interface Rows {
  theme: GrafanaTheme2;
  timeZone: string;
  range: () => TimeRange;
  /** How many there are, now and when the structure was made. */
  count: () => number;
  downwards?: boolean;
  labels: Labels;
  sync: DashboardCursorSync | undefined;
  paint: (u: uPlot) => void;
}

export function rowConfig({ theme, timeZone, range, count, downwards, labels, sync, paint }: Rows): UPlotConfigBuilder {
  const builder = new UPlotConfigBuilder(timeZone);
  builder.addScale({
    scaleKey: 'x',
    isTime: true,
    orientation: ScaleOrientation.Horizontal,
    direction: ScaleDirection.Right,
    range: () => [range().from.valueOf(), range().to.valueOf()],
  });
  builder.addScale({
    scaleKey: 'y',
    orientation: ScaleOrientation.Vertical,
    direction: downwards ? ScaleDirection.Down : ScaleDirection.Up,
    range: () => [0, Math.max(1, count())],
  });
  const plain = { theme, grid: { show: false } };
  builder.addAxis({ ...plain, scaleKey: 'x', isTime: true, placement: AxisPlacement.Bottom, timeZone });
  builder.addAxis({
    ...plain,
    scaleKey: 'y',
    placement: labels.hidden ? AxisPlacement.Hidden : AxisPlacement.Left,
    ticks: { show: false },
    splits: labels.at,
    values: labels.texts,
    ...(labels.size && { size: labels.size }),
  });
  for (let row = 0; row < count(); row++)
    builder.addSeries({
      scaleKey: 'y',
      theme,
      pathBuilder: () => null,
      pointsBuilder: () => undefined,
      showPoints: 'never' as never,
    });
  builder.setCursor({
    points: { show: false },
    ...(sync && { sync: { key: CROSSHAIR, scales: ['x', null] } }),
  });
  builder.setPrepData(() => []);
  builder.addHook('draw', paint);
  return builder;
}

/** Only for the pointer: the rows have to have values at the times that are shown. */
export function rowData(times: number[], count: number): AlignedData {
  return [times, ...Array.from({ length: count }, () => times.map(() => 1))] as AlignedData;
}

interface Props {
  config: UPlotConfigBuilder;
  data: AlignedData;
  width: number;
  height: number;
  /** Stands below, if there is one. */
  legend: ReactElement | null;
  legendHeight: string;
  /** What is told of the place of the pointer; `elsewhere` if the pointer is in another plot. */
  told: (u: uPlot, elsewhere: boolean) => ReactElement | null;
}

export function RowPlot({ config, data, width, height, legend, legendHeight, told }: Props) {
  const { setSpan, dashboard } = useShown();
  return (
    <VizLayout
      width={width}
      height={height}
      legend={
        legend && (
          <VizLayout.Legend placement="bottom" maxHeight={legendHeight}>
            {legend}
          </VizLayout.Legend>
        )
      }
    >
      {(plotWidth, plotHeight) => (
        <UPlotChart config={config} data={data} width={plotWidth} height={plotHeight}>
          <TooltipPlugin2
            config={config}
            hoverMode={1}
            queryZoom={({ from, to }) => setSpan(between(from, to))}
            syncMode={dashboard.graphTooltip ?? 0}
            syncScope={CROSSHAIR}
            render={(u, _indices, _nearest, _pinned, _dismiss, _range, viaSync) => told(u, viaSync)}
          />
        </UPlotChart>
      )}
    </VizLayout>
  );
}
