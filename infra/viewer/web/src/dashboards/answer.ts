// The answer that a panel shows: asked at each refresh while the panel is in view, and kept until there is a newer one.
import type { DataFrame, TimeRange } from '@grafana/data';
import { useEffect, useMemo, useRef, useState } from 'react';
import { Unavailable } from '../prometheus';
import { useShown } from './context';
import type { Lookup } from './interpolation';
import type { Panel } from './model';
import { asked, ask } from './queries';
import { transformed } from './transformations';

export interface PanelAnswer {
  frames?: DataFrame[];
  range?: TimeRange;
  errors: string[];
  /** Whether the drawing is old, because nobody answers. */
  stale: boolean;
  loading: boolean;
}

interface Running {
  question: string;
  abort: AbortController;
}

/** Round to this many points, so that a window that is drawn wider does not ask anew at each pixel. */
const POINTS_STEP = 50;

export function useAnswer(panel: Panel, lookup: Lookup, own: string, inView: boolean, width: number): PanelAnswer {
  const { dashboard, range, span, round, selection } = useShown();
  const [answer, setAnswer] = useState<PanelAnswer>({ errors: [], stale: false, loading: true });
  const running = useRef<Running>(undefined);
  const shown = useRef<{ question: string; round: number }>(undefined);
  const targets = useMemo(() => asked(panel, dashboard, lookup).targets, [panel, dashboard, lookup]);
  const points = Math.max(POINTS_STEP, Math.round(width / POINTS_STEP) * POINTS_STEP);
  const question = JSON.stringify([span, selection, own, points]);
  // Not a reason to ask, but what is asked with.
  const latest = useRef({ panel, lookup, range, targets, points });
  latest.current = { panel, lookup, range, targets, points };

  useEffect(() => {
    if (!inView || width === 0) return;
    if (shown.current?.question === question && shown.current.round === round) return;
    // What is not answered yet is not asked twice.
    if (running.current?.question === question) return;
    running.current?.abort.abort();
    const mine = { question, abort: new AbortController() };
    running.current = mine;
    const { panel, lookup, range, targets, points } = latest.current;
    setAnswer((before) => ({ ...before, loading: true }));
    const finish = (next: (before: PanelAnswer) => PanelAnswer) => {
      if (running.current !== mine) return;
      running.current = undefined;
      shown.current = { question, round };
      setAnswer(next);
    };
    ask(panel, targets, range, points, lookup, mine.abort.signal)
      .then(async (found) => ({ ...found, frames: await transformed(found.frames, panel.transformations, lookup) }))
      .then(
        (found) => finish(() => ({ ...found, stale: false, loading: false })),
        (error: unknown) => {
          const text = error instanceof Error ? error.message : String(error);
          if (error instanceof Unavailable) finish((before) => ({ ...before, stale: true, loading: false }));
          else finish(() => ({ errors: [text], stale: false, loading: false }));
        },
      );
  }, [question, round, inView, width]);

  useEffect(
    () => () => {
      running.current?.abort.abort();
      running.current = undefined;
    },
    [],
  );
  return answer;
}
