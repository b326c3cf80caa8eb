// States over time: a row for each series, a box for each state, with its word in it.
import {
  colorManipulator,
  type DataFrame,
  type Field,
  FieldType,
  formattedValueToString,
  getFieldDisplayName,
  type GrafanaTheme2,
} from '@grafana/data';
import { LegendDisplayMode } from '@grafana/schema';
import {
  getTextColorForAlphaBackground,
  measureText,
  VizLegend,
  VizTooltipColorIndicator,
  useTheme2,
} from '@grafana/ui';
import { useMemo, useRef } from 'react';
import uPlot from 'uplot';
import { useShown } from '../context';
import type { Drawing } from './drawing';
import { intervalAt, type StateInterval, stateIntervals } from './intervals';
import { RowPlot, rowConfig, rowData } from './row_plot';
import { Tooltip } from './tooltip';

interface Row {
  name: string;
  field: Field;
  intervals: StateInterval[];
}

const FONT = 12;
// The longest name of a row, in pixels, on a wide and on a narrow panel.
const NAMES = 180;
const ROW_GAP = 4;

/** The rows of the frames: each field that is no time. */
export function rowsOf(frames: DataFrame[], end: number, merge: boolean): Row[] {
  return frames.flatMap((frame) => {
    const time = frame.fields.find(({ type }) => type === FieldType.time);
    if (!time) return [];
    const least = Math.min(...time.values.slice(1).map((value, index) => value - time.values[index]));
    const step = time.config.interval ?? (Number.isFinite(least) ? least : end - (time.values[0] ?? end));
    return frame.fields
      .filter((field) => field !== time)
      .map((field) => ({
        name: getFieldDisplayName(field, frame, frames),
        field,
        intervals: stateIntervals(time.values, field.values, step, end, merge),
      }));
  });
}

const textOf = (field: Field, value: unknown) =>
  field.display ? formattedValueToString(field.display(value)) : String(value);

export default function Timeline({ panel, frames, structure, range, timeZone, width, height }: Drawing) {
  const { dashboard } = useShown();
  const theme = useTheme2();
  const merge = panel.type === 'state-timeline' && panel.options?.mergeValues !== false;
  const rows = useMemo(() => rowsOf(frames, range.to.valueOf(), merge), [frames, range, merge]);
  const latest = useRef({ rows, range, theme });
  latest.current = { rows, range, theme };
  const config = useMemo(() => {
    const names = rows.map(({ name }) => name);
    const room = Math.min(NAMES, width * 0.3);
    const texts = names.map((name) => cut(name, room));
    return rowConfig({
      theme,
      timeZone,
      range: () => latest.current.range,
      count: () => latest.current.rows.length,
      labels: {
        at: names.map((_, index) => names.length - index - 0.5),
        texts,
        size: Math.ceil(Math.max(20, ...texts.map((text) => measureText(text, FONT).width))) + 12,
      },
      sync: dashboard.graphTooltip,
      paint: (u) => paint(u, latest.current.rows, panel.options ?? {}, latest.current.theme),
    });
    // The names of the rows are part of the structure.
  }, [structure, theme, timeZone, panel, rows.length, Math.round(width / 50), dashboard.graphTooltip]);

  const data = useMemo(() => {
    const ends = rows.flatMap(({ intervals }) => intervals.flatMap(({ from, to }) => [from, to]));
    return rowData(
      [...new Set(ends)].sort((a, b) => a - b),
      rows.length,
    );
  }, [rows]);

  const items = panel.options?.legend?.showLegend === false ? [] : statesOf(rows);
  return (
    <RowPlot
      config={config}
      data={data}
      width={width}
      height={height}
      legend={
        items.length > 0 ? (
          <VizLegend placement="bottom" displayMode={LegendDisplayMode.List} items={items} readonly />
        ) : null
      }
      legendHeight="35%"
      told={(u) => {
        const time = u.posToVal(u.cursor.left ?? 0, 'x');
        return (
          <Tooltip
            time={Math.round(time / 1000) * 1000}
            timeZone={timeZone}
            items={latest.current.rows.map(({ name, field, intervals }) => {
              const state = intervalAt(intervals, time);
              const shown = state && field.display?.(state.value);
              return {
                label: name,
                value: state
                  ? `${textOf(field, state.value)}${lasting(state, latest.current.range.from.valueOf())}`
                  : 'No data',
                ...(shown?.color && { color: shown.color }),
                colorIndicator: VizTooltipColorIndicator.value,
              };
            })}
          />
        );
      }}
    />
  );
}

/** How long a state lasted, or has so far: ` (for 1 min 20 s)`. What began before is not known to its beginning. */
function lasting({ from, to }: StateInterval, start: number): string {
  const all = Math.round((to - from) / 1000);
  const [hours, minutes, rest] = [Math.floor(all / 3600), Math.floor((all % 3600) / 60), all % 60];
  const parts = [hours && `${hours} h`, minutes && `${minutes} min`, rest && !hours && `${rest} s`].filter(Boolean);
  return parts.length > 0 ? ` (for ${parts.join(' ')}${from <= start ? ' or longer' : ''})` : '';
}

function cut(name: string, room: number): string {
  let text = name;
  while (text.length > 3 && measureText(text, FONT).width > room) text = `${text.slice(0, -2)}…`;
  return text;
}

/** The states that occur, each once, with its colour. */
function statesOf(rows: Row[]) {
  const states = new Map<string, string>();
  for (const { field, intervals } of rows)
    for (const { value } of intervals) states.set(textOf(field, value), field.display?.(value).color ?? '');
  return [...states].slice(0, 20).map(([label, color]) => ({ label, color, yAxis: 1 }));
}

function paint(u: uPlot, rows: Row[], options: Record<string, unknown>, theme: GrafanaTheme2): void {
  const { ctx, bbox } = u;
  const ratio = uPlot.pxRatio;
  const each = bbox.height / Math.max(1, rows.length);
  const part = typeof options.rowHeight === 'number' ? options.rowHeight : 0.9;
  const high = Math.max(2 * ratio, Math.min(each * part, each - Math.min(ROW_GAP * ratio, each / 4)));
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.font = `${FONT * ratio}px ${theme.typography.fontFamily}`;
  ctx.textBaseline = 'middle';
  rows.forEach(({ field, intervals }, index) => {
    const middle = bbox.top + (index + 0.5) * each;
    const { fillOpacity = 70, lineWidth = 0 } = field.config.custom ?? {};
    for (const { from, to, value } of intervals) {
      const left = Math.max(u.valToPos(from, 'x', true), bbox.left);
      const right = Math.min(u.valToPos(to, 'x', true), bbox.left + bbox.width);
      if (right <= bbox.left || left >= right) continue;
      const shown = field.display?.(value);
      const color = shown?.color ?? theme.colors.text.disabled;
      const fill = colorManipulator.alpha(color, fillOpacity / 100);
      ctx.fillStyle = fill;
      ctx.fillRect(left, middle - high / 2, right - left, high);
      if (lineWidth > 0) {
        ctx.strokeStyle = color;
        ctx.lineWidth = lineWidth * ratio;
        ctx.strokeRect(left, middle - high / 2, right - left, high);
      }
      const text = textOf(field, value);
      const fits = ctx.measureText(text).width < right - left - 8 * ratio;
      if (options.showValue === 'never' || (options.showValue !== 'always' && !fits)) continue;
      if (high < FONT * ratio) continue;
      ctx.fillStyle = getTextColorForAlphaBackground(fill, theme.isDark);
      const centred = options.alignValue === 'center';
      const atRight = options.alignValue === 'right';
      ctx.textAlign = centred ? 'center' : atRight ? 'right' : 'left';
      ctx.fillText(text, centred ? (left + right) / 2 : atRight ? right - 4 * ratio : left + 4 * ratio, middle);
    }
  });
  ctx.restore();
}
