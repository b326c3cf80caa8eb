// The alerts that fired, in a plot: where each began and ended, and a mark that names it.
import { css } from '@emotion/css';
import { colorManipulator, type GrafanaTheme2 } from '@grafana/data';
import { Tooltip, type UPlotConfigBuilder, useStyles2, useTheme2 } from '@grafana/ui';
import { useLayoutEffect, useRef, useState } from 'react';
import uPlot from 'uplot';
import { type AlertRegion, marksOf } from '../annotations';
import { useShown } from '../context';
import { timeText } from './tooltip';

interface Mark {
  left: number;
  width: number;
  top: number;
  color: string;
  regions: AlertRegion[];
}

// Faint: the lines of the panel are what people read, and several alerts lie over each other.
const [FILL, LINE] = [0.05, 0.6];
// Two lines nearer to each other, in pixels, are one.
const CLOSE = 12;

export function AlertMarks({ config, timeZone }: { config: UPlotConfigBuilder; timeZone: string }) {
  const { annotations } = useShown();
  const theme = useTheme2();
  const styles = useStyles2(getStyles);
  const plot = useRef<uPlot>(undefined);
  const latest = useRef({ annotations, theme });
  const [marks, setMarks] = useState<Mark[]>([]);
  latest.current = { annotations, theme };

  useLayoutEffect(() => {
    config.addHook('init', (u) => {
      plot.current = u;
    });
    config.addHook('draw', (u) => {
      const { annotations: regions, theme } = latest.current;
      const { min, max } = u.scales.x!;
      if (min == null || max == null) return;
      const { ctx, bbox } = u;
      const color = (name: string) => theme.visualization.getColorByName(name);
      const lines: number[] = [];
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
      ctx.clip();
      for (const { from, to, color: name, open, earlier } of regions) {
        if (to < min || from > max) continue;
        const [left, right] = [u.valToPos(from, 'x', true), open ? bbox.left + bbox.width : u.valToPos(to, 'x', true)];
        // Over all of the plot it would say nothing but "red": the mark below it does.
        if (!earlier || !open) {
          ctx.fillStyle = colorManipulator.alpha(color(name), FILL);
          ctx.fillRect(left, bbox.top, right - left, bbox.height);
        }
        ctx.strokeStyle = colorManipulator.alpha(color(name), LINE);
        ctx.lineWidth = uPlot.pxRatio;
        ctx.setLineDash([5 * uPlot.pxRatio, 5 * uPlot.pxRatio]);
        ctx.beginPath();
        // Where it began only: its end is where the colour ends, and a line for each would hide what is drawn.
        for (const x of earlier || lines.some((each) => Math.abs(each - left) < CLOSE) ? [] : [left]) {
          lines.push(x);
          ctx.moveTo(x, bbox.top);
          ctx.lineTo(x, bbox.top + bbox.height);
        }
        ctx.stroke();
      }
      ctx.restore();
      const [left, bottom] = [bbox.left / uPlot.pxRatio, (bbox.top + bbox.height) / uPlot.pxRatio];
      const found = marksOf(regions, min, max, (time) => left + u.valToPos(time, 'x')).map((mark) => ({
        ...mark,
        top: bottom + 2,
        color: color(mark.regions[0]!.color),
      }));
      // While it draws: React would complain about a change of state.
      queueMicrotask(() => setMarks((before) => (same(before, found) ? before : found)));
    });
  }, [config]);

  useLayoutEffect(() => plot.current?.redraw(false, false), [annotations, theme]);

  return marks.map((mark) => (
    <Tooltip key={`${mark.left} ${mark.width}`} content={<Told regions={mark.regions} timeZone={timeZone} />}>
      <button
        type="button"
        className={styles.mark}
        aria-label={`Alert: ${mark.regions.map(({ title }) => title).join(', ')}`}
        style={{ left: mark.left, width: mark.width, top: mark.top, background: mark.color }}
      />
    </Tooltip>
  ));
}

const same = (a: Mark[], b: Mark[]) => JSON.stringify(a) === JSON.stringify(b);

function Told({ regions, timeZone }: { regions: AlertRegion[]; timeZone: string }) {
  return (
    <>
      {regions.map((region) => (
        <div key={`${region.title} ${region.text} ${region.from}`}>
          <strong>{region.title}</strong> {region.text} {region.tags.join(', ')}
          <br />
          {region.open ? 'Since ' : 'From '}
          {region.earlier && 'before '}
          {timeText(region.from, timeZone)}
          {!region.open && ` to ${timeText(region.to, timeZone)}`}
        </div>
      ))}
    </>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  mark: css({
    position: 'absolute',
    height: 5,
    padding: 0,
    border: 'none',
    borderRadius: theme.shape.radius.default,
    cursor: 'help',
  }),
});
