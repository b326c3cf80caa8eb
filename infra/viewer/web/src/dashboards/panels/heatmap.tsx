// A histogram over time: a row for each bucket, the darker or lighter the more was in it.
import {
  colorManipulator,
  formattedValueToString,
  getValueFormat,
  type GrafanaTheme2,
  type ValueFormatter,
} from '@grafana/data';
import { VizTooltipColorIndicator, useTheme2 } from '@grafana/ui';
import * as schemes from 'd3-scale-chromatic';
import { useMemo, useRef } from 'react';
import uPlot from 'uplot';
import { useShown } from '../context';
import { between, type Cells, cellsOf, colourIndex } from './buckets';
import type { Drawing } from './drawing';
import { Message } from './message';
import { RowPlot, rowConfig, rowData } from './row_plot';
import { Tooltip } from './tooltip';

interface ColourOptions {
  mode?: 'scheme' | 'opacity';
  scheme?: string;
  fill?: string;
  steps?: number;
  reverse?: boolean;
  exponent?: number;
  min?: number;
  max?: number;
}

// These have their light end in the middle or at the top already.
const DIVERGING = /^(Spectral|RdYlGn|RdYlBu|RdBu|BrBG|PiYG|PRGn|PuOr|RdGy)$/;

/** The colours from the least to the most. Little is what the background is like: dark in the dark. */
export function palette(options: ColourOptions, theme: GrafanaTheme2): string[] {
  const {
    mode = 'scheme',
    scheme = 'Oranges',
    fill = 'dark-orange',
    steps = 64,
    reverse = false,
    exponent = 0.5,
  } = options;
  const parts = Array.from({ length: Math.max(2, steps) }, (_, index) => index / (Math.max(2, steps) - 1));
  if (mode === 'opacity') {
    const color = theme.visualization.getColorByName(fill || 'dark-orange');
    return parts.map((part) => colorManipulator.alpha(color, part ** (exponent || 1)));
  }
  const known = schemes as Record<string, ((part: number) => string) | undefined>;
  const interpolate = known[`interpolate${scheme}`] ?? known.interpolateOranges!;
  const turned = DIVERGING.test(scheme) || theme.isDark;
  return parts.map((part) => interpolate(turned !== reverse ? 1 - part : part));
}

export default function Heatmap({ panel, frames, structure, range, timeZone, width, height }: Drawing) {
  const { dashboard } = useShown();
  const theme = useTheme2();
  const options = panel.options ?? {};
  const hidden = options.filterValues?.le ?? 1e-9;
  const cells = useMemo(() => cellsOf(frames, hidden), [frames, hidden]);
  const colours = useMemo(() => palette(options.color ?? {}, theme), [options.color, theme]);
  const { decimals } = options.yAxis ?? {};
  const unit = options.yAxis?.unit ?? panel.fieldConfig?.defaults?.unit;
  const format = useMemo((): ValueFormatter => getValueFormat(unit ?? 'short'), [unit]);
  const written = (limit: number) => (limit === Infinity ? '+Inf' : formattedValueToString(format(limit, decimals)));
  const latest = useRef({ cells, range, colours });
  latest.current = { cells, range, colours };
  const config = useMemo(() => {
    const { buckets } = latest.current.cells;
    const ordered = buckets.every(({ limit }) => !Number.isNaN(limit));
    // A limit stands where its bucket ends, a name in the middle of its row.
    const every = Math.max(1, Math.ceil((buckets.length * 18) / Math.max(40, height - 40)));
    const shown = buckets.map((bucket, index) => ({ bucket, index })).filter(({ index }) => (index + 1) % every === 0);
    return rowConfig({
      theme,
      timeZone,
      range: () => latest.current.range,
      count: () => latest.current.cells.buckets.length,
      downwards: Boolean(options.yAxis?.reverse),
      labels: {
        at: shown.map(({ index }) => (ordered ? index + 1 : index + 0.5)),
        texts: shown.map(({ bucket }) => (ordered ? written(bucket.limit) : bucket.name)),
        hidden: options.yAxis?.axisPlacement === 'hidden',
      },
      sync: dashboard.graphTooltip,
      paint: (u) => paint(u, latest.current.cells, latest.current.colours, options),
    });
  }, [structure, theme, timeZone, panel, cells.buckets.length, Math.round(height / 50), dashboard.graphTooltip]);
  const data = useMemo(() => rowData(cells.times, cells.buckets.length), [cells]);
  const amount = getValueFormat(options.cellValues?.unit ?? 'short');
  if (options.calculate)
    return <Message>This viewer does not calculate heatmaps from values: it draws histograms.</Message>;
  if (cells.most === 0) return <Message>Nothing was observed during this time.</Message>;
  return (
    <RowPlot
      config={config}
      data={data}
      width={width}
      height={height}
      legend={
        options.legend?.show !== false ? (
          <Scale cells={cells} colours={colours} written={(value) => formattedValueToString(amount(value))} />
        ) : null
      }
      legendHeight="20%"
      told={(u, elsewhere) => {
        const { cells, colours } = latest.current;
        const time = u.posToVal(u.cursor.left ?? 0, 'x');
        const index = cells.times.findIndex((each) => time > each - cells.step && time <= each);
        const row = Math.floor(u.posToVal(u.cursor.top ?? 0, 'y'));
        if (index < 0 || elsewhere || !cells.buckets[row]) return null;
        const value = cells.values[row]![index] ?? null;
        const color = value === null ? undefined : colours[colourOf(value, cells, colours, options.color)];
        return (
          <Tooltip
            time={cells.times[index]!}
            timeZone={timeZone}
            items={[
              {
                label: between(cells.buckets, row, written),
                value: value === null ? 'none' : formattedValueToString(amount(value)),
                colorIndicator: VizTooltipColorIndicator.value,
                ...(color && { color }),
              },
            ]}
          />
        );
      }}
    />
  );
}

const colourOf = (value: number, cells: Cells, colours: string[], options: ColourOptions = {}) =>
  colourIndex(value, options.min ?? cells.least, options.max ?? cells.most, colours.length);

function paint(u: uPlot, cells: Cells, colours: string[], options: { cellGap?: number; color?: ColourOptions }): void {
  const { ctx, bbox } = u;
  const gap = Number(options.cellGap ?? 1) * uPlot.pxRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  cells.values.forEach((row, bucket) => {
    const [top, bottom] = [u.valToPos(bucket + 1, 'y', true), u.valToPos(bucket, 'y', true)].sort((a, b) => a - b) as [
      number,
      number,
    ];
    row.forEach((value, index) => {
      if (value === null) return;
      const right = u.valToPos(cells.times[index]!, 'x', true);
      const left = u.valToPos(cells.times[index]! - cells.step, 'x', true);
      if (right < bbox.left || left > bbox.left + bbox.width) return;
      ctx.fillStyle = colours[colourOf(value, cells, colours, options.color)]!;
      ctx.fillRect(left, top, Math.max(1, right - left - gap), Math.max(1, bottom - top - gap));
    });
  });
  ctx.restore();
}

function Scale({ cells, colours, written }: { cells: Cells; colours: string[]; written: (value: number) => string }) {
  const stops = colours.filter((_, index) => index % Math.ceil(colours.length / 16) === 0).join(', ');
  return (
    <div style={{ display: 'flex', alignItems: 'center', gap: 8, fontSize: 12 }}>
      {written(cells.least)}
      <span style={{ flex: '0 1 200px', height: 8, background: `linear-gradient(to right, ${stops})` }} />
      {written(cells.most)}
    </div>
  );
}
