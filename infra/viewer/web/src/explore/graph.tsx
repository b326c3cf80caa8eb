// The series of all queries over time.
import { type DataFrame, getFieldDisplayName } from '@grafana/data';
import { LegendDisplayMode, TooltipDisplayMode } from '@grafana/schema';
import { PanelContextProvider, TimeSeries, TooltipPlugin2, usePanelContext, useTheme2 } from '@grafana/ui';
import { useMemo, useState } from 'react';
import { configured } from '../dashboards/fields';
import { seriesFrames } from '../dashboards/frames';
import { lookupOf } from '../dashboards/interpolation';
import type { Panel } from '../dashboards/model';
import { SeriesTooltip } from '../dashboards/panels/tooltip';
import { between, type Span } from '../time';
import { drawable, MOST_SERIES } from './tables';
import type { Answers } from './use_answers';

const HEIGHT = 360;
const ALL_OF_TIME = 1;
const PANEL = { type: 'timeseries', fieldConfig: { defaults: {}, overrides: [] } } as unknown as Panel;
const LEGEND = {
  showLegend: true,
  displayMode: LegendDisplayMode.List,
  placement: 'bottom' as const,
  calcs: [],
};
const TOOLTIP = { mode: TooltipDisplayMode.Multi, sort: 'desc' };

interface Props {
  answers: Answers;
  width: number;
  onZoom: (span: Span) => void;
}

export function Graph({ answers: { answers, range, step }, width, onZoom }: Props) {
  const theme = useTheme2();
  const [only, setOnly] = useState<string>();
  const { series, all } = useMemo(() => drawable(answers), [answers]);
  const frames = useMemo(() => {
    const data = series.flatMap((some, index) =>
      seriesFrames({ refId: String(index + 1) }, answers[index]!.expression, some, step),
    );
    return withOnly(only, configured(data, PANEL, lookupOf({}), theme, 'utc'));
  }, [series, answers, step, theme, only]);
  const names = frames.map((frame) => frame.name).join('\n');
  const structure = useStructure(`${only} ${theme.isDark} ${names}`);
  // A click on a series in the legend shows it alone, and the next click all again.
  const around = usePanelContext();
  const context = useMemo(
    () => ({
      ...around,
      onToggleSeriesVisibility: (label: string | string[] | null) => {
        const name = Array.isArray(label) ? label[0] : (label ?? undefined);
        setOnly((before) => (before === name ? undefined : name));
      },
    }),
    [around],
  );

  return (
    <PanelContextProvider value={context}>
      {all > MOST_SERIES && (
        <p>
          There are {all} series. The first {MOST_SERIES} are drawn.
        </p>
      )}
      <TimeSeries
        frames={frames}
        structureRev={structure}
        timeRange={range}
        timeZone="utc"
        width={width}
        height={HEIGHT}
        legend={LEGEND}
      >
        {(config, aligned: DataFrame) => (
          <TooltipPlugin2
            config={config}
            hoverMode={ALL_OF_TIME}
            queryZoom={({ from, to }) => onZoom(between(from, to))}
            render={(_, indices, nearest) => (
              <SeriesTooltip frame={aligned} indices={indices} nearest={nearest} options={TOOLTIP} timeZone="utc" />
            )}
          />
        )}
      </TimeSeries>
    </PanelContextProvider>
  );
}

/** Hides all series but one, if it is there. */
function withOnly(only: string | undefined, frames: DataFrame[]): DataFrame[] {
  const others = frames.flatMap((frame) =>
    frame.fields.slice(1).filter((field) => getFieldDisplayName(field, frame, frames) !== only),
  );
  if (only === undefined || others.length === frames.length) return frames;
  for (const { config } of others) config.custom = { ...config.custom, hideFrom: { viz: true, tooltip: true } };
  return frames;
}

let structures = 0;

/** A number that changes with the text. */
function useStructure(text: string): number {
  return useMemo(() => ++structures, [text]);
}
