// The queries of a panel as they are asked, and those that this viewer cannot ask.
import type { TimeRange } from '@grafana/data';
import { dateTime, rangeUtil } from '../datetime';
import { instantRequest, rangeRequest, type Request } from '../prometheus';
import { asPromQL, firstOf, interpolate, type Lookup } from './interpolation';
import { aligned, intervalOf } from './interval';
import type { Dashboard, Panel, Source, Target } from './model';

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

/** Files of old say neither, and mean a range. */
export const kindsOf = ({ range, instant }: Target) => ({
  range: Boolean(range || !instant),
  instant: Boolean(instant),
});

/** All that is asked for a panel. */
export function requestsOf(
  panel: Panel,
  targets: Target[],
  range: TimeRange,
  points: number,
  lookup: Lookup,
): Request[] {
  const own = rangeFor(panel, range);
  return targets.flatMap((target) => {
    const { expr, step, start, end } = prepared(panel, target, own, points, lookup);
    const kinds = kindsOf(target);
    return [
      ...(kinds.range ? [rangeRequest(expr, start, end, step)] : []),
      ...(kinds.instant ? [instantRequest(expr, own.to.valueOf() / 1000)] : []),
    ];
  });
}

/** Rounded to this many points, so that a window that is drawn wider does not ask anew at each pixel. */
const POINTS_STEP = 50;

/** How many points a panel of a width asks for. */
export const pointsOf = (width: number) => Math.max(POINTS_STEP, Math.round(width / POINTS_STEP) * POINTS_STEP);
