// A panel that shows answers of Prometheus: its frames as they are drawn, or in words why nothing is.
import { type DataFrame, getFieldDisplayName, type GrafanaTheme2 } from '@grafana/data';
import { ErrorBoundaryAlert, PanelContextProvider, SeriesVisibilityChangeMode, useTheme2 } from '@grafana/ui';
import { DashboardCursorSync } from '@grafana/schema';
import { useMemo, useRef, useState } from 'react';
import { useAnswer } from './answer';
import { chosenSeries } from './choices';
import { Chrome, type Framed } from './chrome';
import { useShown } from './context';
import { DRAWS_NOTHING, drawerOf } from './draw';
import { configured } from './fields';
import { Message } from './panels/message';
import { rangeFor } from './queries';

interface Props extends Framed {
  /** Why nothing of it is drawn, and what is left out, in sentences. */
  lacking: string[];
  without: string[];
  inView: boolean;
}

export function QueriedPanel(props: Props) {
  const { placed, lookup, lacking, without, inView, width } = props;
  const { panel } = placed;
  const { timeZone, range: wanted, bus, dashboard } = useShown();
  const theme = useTheme2();
  const nothingToAsk = lacking.length > 0;
  const answer = useAnswer(panel, lookup, placed.key, inView && !nothingToAsk, width);
  const [isolated, setIsolated] = useState<string[]>();
  const frames = useMemo(
    () => answer.frames && hidden(configured(answer.frames, panel, lookup, theme, timeZone), isolated),
    [answer.frames, panel, lookup, theme, timeZone, isolated],
  );
  const structure = useStructure(frames, theme);
  const names = useRef<string[]>([]);
  names.current = frames ? namesOf(frames) : [];
  const context = useMemo(
    () => ({
      eventsScope: 'global',
      eventBus: bus,
      sync: () => dashboard.graphTooltip ?? DashboardCursorSync.Off,
      onToggleSeriesVisibility: (label: string | string[] | null, mode: SeriesVisibilityChangeMode) =>
        setIsolated((before) =>
          chosenSeries(before, label, mode !== SeriesVisibilityChangeMode.AppendToSelection, names.current),
        ),
    }),
    [bus, dashboard],
  );
  const Drawer = drawerOf(panel.type);
  const range = answer.range ?? rangeFor(panel, wanted);
  const empty = frames && !frames.some(hasValues) && !DRAWS_NOTHING.has(panel.type);
  const problems = [...without, ...answer.errors];
  const body = (innerWidth: number, innerHeight: number) => {
    if (lacking.length > 0) return <Message>{sentences(lacking)}</Message>;
    if (!inView) return null;
    if (answer.errors.length > 0 && !frames?.length) return <Message bad>{sentences(answer.errors)}</Message>;
    if (!frames) return answer.stale ? <Message>Prometheus does not answer.</Message> : null;
    if (empty || !Drawer) return <Message>{panel.fieldConfig?.defaults?.noValue ?? 'No data'}</Message>;
    return (
      <ErrorBoundaryAlert title="This panel could not be drawn." key={structure}>
        <Drawer
          panel={panel}
          frames={frames}
          structure={structure}
          range={range}
          timeZone={timeZone}
          lookup={lookup}
          width={innerWidth}
          height={innerHeight}
        />
      </ErrorBoundaryAlert>
    );
  };
  return (
    <PanelContextProvider value={context}>
      <Chrome
        {...props}
        loading={answer.loading}
        status={problems.length > 0 && frames?.length ? problems.join(' ') : undefined}
      >
        {body}
      </Chrome>
    </PanelContextProvider>
  );
}

/** Whether there is anything to draw: a quantile of no observations is no number. */
const hasValues = ({ fields, length }: DataFrame) =>
  length > 0 &&
  fields.some(
    ({ type, values }) =>
      type !== 'time' &&
      (type !== 'number' || values.some((value) => Number(value) === Number(value) && value !== null)),
  );

const sentences = (texts: string[]) => texts.map((text) => <p key={text}>{text}</p>);

/** A number that grows whenever names, order, units or colours of the frames change. */
function useStructure(frames: DataFrame[] | undefined, theme: GrafanaTheme2): number {
  const last = useRef({ text: '', theme, count: 1 });
  const text = useMemo(
    () =>
      JSON.stringify(
        frames?.map(({ fields, name }) => [
          name,
          fields.map((field) => [field.name, field.type, field.labels, field.config]),
        ]),
      ),
    [frames],
  );
  if (last.current.text !== text || last.current.theme !== theme)
    last.current = { text, theme, count: last.current.count + 1 };
  return last.current.count;
}

function namesOf(frames: DataFrame[]): string[] {
  return frames.flatMap((frame) =>
    frame.fields.filter(({ type }) => type !== 'time').map((field) => getFieldDisplayName(field, frame, frames)),
  );
}

function hidden(frames: DataFrame[], isolated: string[] | undefined): DataFrame[] {
  if (!isolated) return frames;
  for (const frame of frames)
    for (const field of frame.fields) {
      if (field.type === 'time' || isolated.includes(getFieldDisplayName(field, frame, frames))) continue;
      field.config.custom = {
        ...field.config.custom,
        hideFrom: { ...field.config.custom?.hideFrom, viz: true, tooltip: true },
      };
    }
  return frames;
}
