// A panel of any kind, in its place.
import { renderMarkdown } from '@grafana/data';
import { useMemo, useRef } from 'react';
import { Chrome, Outline } from './chrome';
import { useShown } from './context';
import { useInView } from './in_view';
import { asText, firstOf, interpolate } from './interpolation';
import type { Placed } from './layout';
import { destinations } from './links';
import type { Listed } from './model';
import { TextPanel } from './panels/text';
import { asked } from './queries';
import { QueriedPanel } from './queried_panel';
import { leftOut, missing } from './support';

interface Props {
  placed: Placed;
  boards: Listed[];
  width: number;
  height: number;
  /** Whether it is in the window that is seen first. */
  first: boolean;
}

export function PanelView({ placed, boards, width, height, first }: Props) {
  const { panel, own } = placed;
  const shown = useShown();
  const frame = useRef<HTMLDivElement>(null);
  const { inView, seen } = useInView(frame, first);
  const lookup = useMemo(() => firstOf(own, shown.lookup), [own, shown.lookup]);
  const { targets, unknownSources } = useMemo(
    () => asked(panel, shown.dashboard, lookup),
    [panel, shown.dashboard, lookup],
  );
  const text = (written: string | undefined) => (written ? interpolate(written, lookup, asText) : '');
  const title = text(panel.title);
  const framed = () => ({
    placed,
    lookup,
    width,
    height,
    title,
    links: destinations(panel.links, boards, shown.span, shown.variables, lookup),
  });
  return (
    <div ref={frame} style={{ width, height }}>
      {!seen ? (
        <Outline title={title} transparent={Boolean(panel.transparent)} />
      ) : panel.type === 'text' ? (
        <Chrome {...framed()}>{() => <TextPanel panel={panel} lookup={lookup} />}</Chrome>
      ) : (
        <QueriedPanel
          {...framed()}
          lacking={missing(panel, unknownSources, targets.length > 0)}
          without={leftOut(panel, unknownSources)}
          inView={inView}
          description={panel.description ? () => renderMarkdown(text(panel.description)) : undefined}
          note={panel.timeFrom && !panel.hideTimeOverride ? `Last ${panel.timeFrom}` : undefined}
        />
      )}
    </div>
  );
}
