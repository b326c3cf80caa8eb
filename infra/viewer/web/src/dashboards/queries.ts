// Asks what a panel shows, and says what of it this viewer cannot ask.
import type { DataFrame, TimeRange } from '@grafana/data';
import { rangeUtil, dateTime } from '@grafana/data';
import { queryInstant, queryRange } from '../prometheus';
import { asPromQL, firstOf, interpolate, type Lookup } from './interpolation';
import { aligned, intervalOf } from './interval';
import { bucketFrames, seriesFrames, tableFrame } from './frames';
import type { Dashboard, Panel, Source, Target } from './model';

export interface Answer {
  frames: DataFrame[];
  /** What went wrong in some of the queries, in words. */
  errors: string[];
  range: TimeRange;
}

/** The type of the source that a panel or a query names, or undefined where it is the default one: Prometheus. */
export function sourceType(source: Source, dashboard: Dashboard, lookup: Lookup): string | undefined {
  if (!source) return undefined;
  const ref = typeof source === 'string' ? { uid: source } : source;
  if (ref.type && ref.type !== 'datasource') return ref.type;
  const uid = interpolate(ref.uid ?? '', lookup);
  const input = dashboard.__inputs?.find(({ name }) => uid.includes(name));
  if (input) return input.pluginId;
  if (!uid || /^(default|prometheus)$/i.test(uid)) return undefined;
  return uid.startsWith('-- ') ? uid : undefined;
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** The queries that are asked, and those sources that this viewer does not have. */
export function asked(
  panel: Panel,
  dashboard: Dashboard,
  lookup: Lookup,
): { targets: Target[]; unknownSources: string[] } {
  // Files that were not written by Grafana have no letters.
  const lettered = (panel.targets ?? []).map((target, at) => ({
    ...target,
    refId: target.refId || LETTERS[at] || `Q${at}`,
  }));
  const targets = lettered.filter(({ hide }) => !hide);
  const typed = targets.map((target) => {
    const own = sourceType(target.datasource, dashboard, lookup);
    const type = own ?? sourceType(panel.datasource, dashboard, lookup);
    return { target, type: type === '-- Mixed --' ? own : type };
  });
  const elsewhere = typed.filter(({ type }) => type && type !== 'prometheus').map(({ type }) => type!);
  return {
    targets: typed
      .filter(({ type, target }) => (!type || type === 'prometheus') && target.expr?.trim())
      .map(({ target }) => target),
    unknownSources: [...new Set(elsewhere)],
  };
}

/** The range of a panel that has one of its own ("last 5 minutes") or shows an earlier one. */
export function rangeFor({ timeFrom, timeShift }: Panel, range: TimeRange): TimeRange {
  let result = range;
  if (timeFrom) {
    const length = rangeUtil.intervalToMs(timeFrom.replace(/^now-/, ''));
    const from = dateTime(range.to.valueOf() - length);
    result = { from, to: range.to, raw: { from: `now-${timeFrom}`, to: 'now' } };
  }
  if (timeShift) {
    const length = rangeUtil.intervalToMs(timeShift);
    const [from, to] = [result.from, result.to].map((time) => dateTime(time.valueOf() - length));
    result = { from: from!, to: to!, raw: { from: from!, to: to! } };
  }
  return result;
}

/** How a query is asked: its text with everything put in, its step and its times, in seconds. */
export function prepared(panel: Panel, target: Target, range: TimeRange, points: number, lookup: Lookup) {
  const text = (given: string | null | undefined) => (given ? interpolate(given, lookup) : undefined);
  const interval = intervalOf(
    range,
    panel.maxDataPoints || points,
    text(panel.interval),
    text(target.interval),
    target.intervalFactor,
  );
  const scope = firstOf(interval.variables, lookup);
  return {
    expr: interpolate(target.expr!, scope, asPromQL),
    step: interval.step,
    ...aligned(range, interval.step),
    scope,
  };
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
      // Files of old say neither, and mean a range.
      const range = target.range || !target.instant;
      await Promise.all([...(range ? [framesOf(false)] : []), ...(target.instant ? [framesOf(true)] : [])]);
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
