// Asks what a panel shows, and makes frames of the answers.
import type { DataFrame, TimeRange } from '@grafana/data';
import { queryInstant, queryRange } from '../prometheus';
import { bucketFrames, seriesFrames, tableFrame } from './frames';
import type { Lookup } from './interpolation';
import type { Panel, Target } from './model';
import { kindsOf, prepared, rangeFor } from './queries';

export interface Answer {
  frames: DataFrame[];
  /** What went wrong in some of the queries, in words. */
  errors: string[];
  range: TimeRange;
}

/**
 * Asks all queries of a panel at once. One that fails leaves the others; if all fail because nobody answers, or because
 * it was aborted, the first failure is raised.
 */
export async function ask(
  panel: Panel,
  targets: Target[],
  range: TimeRange,
  points: number,
  lookup: Lookup,
  signal: AbortSignal,
): Promise<Answer> {
  const own = rangeFor(panel, range);
  const tables = targets.filter(({ format }) => format === 'table').length;
  const answers = await Promise.allSettled(
    targets.map(async (target) => {
      const { expr, step, start, end } = prepared(panel, target, own, points, lookup);
      const frames: DataFrame[] = [];
      let native = false;
      const framesOf = async (instant: boolean) => {
        const answer = instant
          ? await queryInstant(expr, own.to.valueOf() / 1000, signal)
          : await queryRange(expr, start, end, step, signal);
        native ||= answer.some(({ histograms }) => histograms);
        const between = instant ? undefined : step;
        if (target.format === 'table') frames.push(tableFrame(target, answer, tables === 1));
        else if (target.format === 'heatmap') frames.push(...bucketFrames(target, expr, answer, between));
        else frames.push(...seriesFrames(target, expr, answer, between));
      };
      const kinds = kindsOf(target);
      await Promise.all([...(kinds.range ? [framesOf(false)] : []), ...(kinds.instant ? [framesOf(true)] : [])]);
      if (native) throw new Error('This viewer does not draw native histograms.');
      return frames;
    }),
  );
  const failed = answers.filter((each) => each.status === 'rejected');
  if (failed.length > 0 && (signal.aborted || failed.length === answers.length)) throw failed[0]!.reason;
  return {
    frames: answers.flatMap((each) => (each.status === 'fulfilled' ? each.value : [])),
    errors: [...new Set(failed.map(({ reason }) => (reason instanceof Error ? reason.message : String(reason))))],
    range: own,
  };
}
