// The answer that a panel shows: asked at each refresh while the panel is in view, and kept until there is a newer one.
import type { DataFrame, TimeRange } from '@grafana/data';
import { useEffect, useMemo, useRef, useState } from 'react';
import { Unavailable } from '../prometheus';
import { Asking } from './asking';
import { useShown } from './context';
import type { Lookup } from './interpolation';
import type { Panel } from './model';
import { ask } from './ask';
import { asked, pointsOf } from './queries';
import { transformed } from './transformations';

export interface PanelAnswer {
  frames?: DataFrame[];
  range?: TimeRange;
  errors: string[];
  /** Whether the drawing is old, because nobody answers. */
  stale: boolean;
  loading: boolean;
}

export function useAnswer(panel: Panel, lookup: Lookup, own: string, inView: boolean, width: number): PanelAnswer {
  const { dashboard, range, span, round, selection } = useShown();
  const [answer, setAnswer] = useState<PanelAnswer>({ errors: [], stale: false, loading: true });
  const [asking] = useState(() => new Asking());
  const shown = useRef<{ question: string; round: number }>(undefined);
  const targets = useMemo(() => asked(panel, dashboard, lookup).targets, [panel, dashboard, lookup]);
  const points = pointsOf(width);
  const question = JSON.stringify([span, selection, own, points]);
  // Not a reason to ask, but what is asked with.
  const latest = useRef({ panel, lookup, range, targets, points });
  latest.current = { panel, lookup, range, targets, points };

  useEffect(() => {
    if (!inView || width === 0) return;
    if (shown.current?.question === question && shown.current.round === round) return;
    const { panel, lookup, range, targets, points } = latest.current;
    const find = async (signal: AbortSignal) => {
      const found = await ask(panel, targets, range, points, lookup, signal);
      return { ...found, frames: await transformed(found.frames, panel.transformations, lookup) };
    };
    const started = asking.start(question, find, (outcome) => {
      shown.current = { question, round };
      if ('value' in outcome) setAnswer({ ...outcome.value, stale: false, loading: false });
      else if (outcome.error instanceof Unavailable)
        setAnswer((before) => ({ ...before, stale: true, loading: false }));
      else {
        const text = outcome.error instanceof Error ? outcome.error.message : String(outcome.error);
        setAnswer({ errors: [text], stale: false, loading: false });
      }
    });
    if (started) setAnswer((before) => ({ ...before, loading: true }));
  }, [question, round, inView, width, asking]);

  useEffect(() => () => asking.stop(), [asking]);
  return answer;
}
