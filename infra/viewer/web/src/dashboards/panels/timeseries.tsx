// Lines, bars and points over time.
import type { DataFrame } from '@grafana/data';
import { namesAt } from '../annotations';
import { DashboardCursorSync, LegendDisplayMode, TooltipDisplayMode, type VizLegendOptions } from '@grafana/schema';
import { TimeSeries, TooltipPlugin2, type UPlotConfigBuilder } from '@grafana/ui';
import { FieldType } from '@grafana/data';
import { useMemo } from 'react';
import { between } from '../../time';
import { CROSSHAIR, useShown } from '../context';
import { dataLinks } from '../fields';
import { AlertMarks } from './alert_marks';
import type { Drawing } from './drawing';
import { SeriesTooltip } from './tooltip';

// One series is nearest in 'single' mode, all of a time are shown in 'multi'.
const NEAREST = 0;
const ALL_OF_TIME = 1;

/** No line is drawn through a value that is no number. */
export function withGaps(frames: DataFrame[]): DataFrame[] {
  return frames.map((frame) => ({
    ...frame,
    fields: frame.fields.map((field) =>
      field.type === FieldType.number && field.values.some(Number.isNaN)
        ? { ...field, values: field.values.map((value) => (Number.isNaN(value) ? null : value)) }
        : field,
    ),
  }));
}

export function TimeSeriesPanel({ panel, frames, structure, range, timeZone, lookup, width, height }: Drawing) {
  const { setSpan, dashboard, annotations, goTo } = useShown();
  const drawn = useMemo(() => withGaps(frames), [frames]);
  const { legend, tooltip } = panel.options ?? {};
  const legendOptions = useMemo(
    (): VizLegendOptions => ({
      showLegend: true,
      displayMode: LegendDisplayMode.List,
      placement: 'bottom',
      calcs: [],
      ...legend,
      // Beside the plot it needs a width that a small screen does not have.
      ...(width < 500 && { placement: 'bottom' }),
    }),
    [legend, width < 500],
  );
  const sync = dashboard.graphTooltip as DashboardCursorSync | undefined;
  const single = (tooltip?.mode ?? 'single') === 'single';
  return (
    <TimeSeries
      frames={drawn}
      structureRev={structure}
      timeRange={range}
      timeZone={timeZone}
      width={width}
      height={height}
      legend={legendOptions}
      options={panel.options}
    >
      {(config: UPlotConfigBuilder, aligned: DataFrame) => (
        <>
          {tooltip?.mode !== TooltipDisplayMode.None && (
            <TooltipPlugin2
              config={config}
              hoverMode={single ? NEAREST : ALL_OF_TIME}
              queryZoom={({ from, to }) => setSpan(between(from, to))}
              syncMode={sync ?? DashboardCursorSync.Off}
              syncScope={CROSSHAIR}
              render={(_, indices, nearest, pinned) => (
                <SeriesTooltip
                  frame={aligned}
                  indices={indices}
                  nearest={nearest}
                  options={tooltip}
                  timeZone={timeZone}
                  alertsAt={(time) => namesAt(annotations, time)}
                  linksOf={pinned ? (field, row) => dataLinks(field, aligned, row, lookup, goTo) : undefined}
                />
              )}
            />
          )}
          <AlertMarks config={config} timeZone={timeZone} />
        </>
      )}
    </TimeSeries>
  );
}
