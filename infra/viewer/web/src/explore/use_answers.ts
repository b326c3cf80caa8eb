// The answers to what Explore asks: asked anew at each refresh, and kept while nobody answers.
import { rangeUtil, type TimeRange } from '@grafana/data';
import { useEffect, useRef, useState } from 'react';
import type { Polled } from '../polling';
import { rangeOf } from '../time';
import type { Asked } from './address';
import { type Answer, askAll } from './ask';

const POINTS = 600;
const LEAST_STEP = '5s'; // the scrape interval

export interface Answers {
  answers: Answer[];
  /** Of what `answers` are. */
  range: TimeRange;
  /** In seconds. */
  step: number;
}

/** `round` counts the refreshes. */
export function useAnswers({ expressions, span }: Asked, round: number): Polled<Answers> & { loading: boolean } {
  const [state, setState] = useState<Polled<Answers>>({});
  const [loading, setLoading] = useState(false);
  const running = useRef<{ question: string; abort: AbortController }>(undefined);
  const shown = useRef('');
  const written = JSON.stringify(expressions);
  const question = JSON.stringify([expressions, span]);

  useEffect(() => {
    // What is not answered yet is not asked twice, and an answer to another question never comes in between.
    if (running.current?.question === question) return;
    running.current?.abort.abort();
    // Another range of the same queries takes the place of this one when it is there.
    if (shown.current !== written) setState({});
    shown.current = written;
    const mine = { question, abort: new AbortController() };
    running.current = mine;
    setLoading(true);

    const range = rangeOf(span);
    const step = rangeUtil.calculateInterval(range, POINTS, LEAST_STEP).intervalMs / 1000;
    const [from, to] = [range.from.valueOf() / 1000, range.to.valueOf() / 1000];
    const finish = (next: (before: Polled<Answers>) => Polled<Answers>) => {
      if (running.current !== mine) return;
      running.current = undefined;
      setState(next);
      setLoading(false);
    };
    // On multiples of the step, so that the points stay where they are.
    const aligned = Math.floor(from / step) * step;
    askAll(expressions, aligned, to, step, mine.abort.signal).then(
      (answers) => finish(() => ({ data: { answers, range, step }, at: Date.now() })),
      (error: unknown) =>
        finish((before) => ({
          ...before,
          error: error instanceof Error ? error.message : String(error),
          failingSince: before.failingSince ?? Date.now(),
        })),
    );
  }, [question, round]);

  useEffect(
    () => () => {
      running.current?.abort.abort();
      running.current = undefined;
    },
    [],
  );
  return { ...state, loading };
}
