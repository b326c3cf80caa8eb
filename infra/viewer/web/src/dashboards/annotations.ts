// The alerts that fired during the time that is shown, as the annotation queries of a dashboard ask for them.
import type { TimeRange } from '@grafana/data';
import { type Labels, queryRange, rangeRequest, type Request, type Series } from '../prometheus';
import { asPromQL, firstOf, interpolate, type Lookup } from './interpolation';
import { aligned, intervalOf } from './interval';
import { legendOf } from './legend';
import type { AnnotationDefinition } from './model';

/** A time during which something was so, in milliseconds. */
export interface AlertRegion {
  from: number;
  to: number;
  title: string;
  text: string;
  tags: string[];
  color: string;
  /** Whether it is still so. */
  open: boolean;
  /** Whether it was so before the time that is shown. */
  earlier: boolean;
}

/** Regions of a series: as long as it is above 0 without a hole. The step and the ends of the query in seconds. */
export function regions(
  definition: AnnotationDefinition,
  { metric, values }: Pick<Series, 'metric' | 'values'>,
  { step, start, end }: { step: number; start: number; end: number },
): AlertRegion[] {
  const longest = step * 1500;
  const label = (format: string | undefined) => (format ? (legendOf(format, metric, '') ?? '') : '');
  const tags = (definition.tagKeys ?? '').split(',').map((key) => metric[key.trim()] ?? '');
  const found: AlertRegion[] = [];
  let open: AlertRegion | undefined;
  for (const [time, value] of values) {
    const at = Math.round(time * 1000);
    if (!(Number(value) > 0)) {
      open = undefined;
      continue;
    }
    if (open && at - open.to <= longest) open.to = at;
    else {
      open = {
        from: at,
        to: at,
        title: label(definition.titleFormat) || nameOf(metric) || definition.name,
        text: label(definition.textFormat),
        tags: tags.filter(Boolean),
        color: definition.iconColor || 'red',
        open: false,
        earlier: at - start * 1000 <= longest,
      };
      found.push(open);
    }
  }
  const last = found.at(-1);
  if (last) last.open = end * 1000 - last.to <= longest;
  return found;
}

const nameOf = ({ alertname, __name__ }: Labels) => alertname ?? __name__ ?? '';

const expression = (definition: AnnotationDefinition) => definition.expr || definition.target?.expr || '';

/** Those annotation queries that this viewer can ask, and that are switched on. */
export function drawn(definitions: AnnotationDefinition[] = []): AnnotationDefinition[] {
  return definitions.filter((each) => each.enable !== false && !each.builtIn && expression(each));
}

// As many as Grafana asks for at most.
const POINTS = 300;

function prepared(definition: AnnotationDefinition, range: TimeRange, lookup: Lookup) {
  const { step, variables } = intervalOf(range, POINTS, undefined, definition.step || '60s');
  const expr = interpolate(expression(definition), firstOf(variables, lookup), asPromQL);
  return { expr, step, ...aligned(range, step) };
}

/** All that is asked for the annotations. */
export function annotationRequests(definitions: AnnotationDefinition[], range: TimeRange, lookup: Lookup): Request[] {
  return definitions.map((definition) => {
    const { expr, step, start, end } = prepared(definition, range, lookup);
    return rangeRequest(expr, start, end, step);
  });
}

export async function askAnnotations(
  definitions: AnnotationDefinition[],
  range: TimeRange,
  lookup: Lookup,
  signal: AbortSignal,
): Promise<AlertRegion[]> {
  const asked = definitions.map(async (definition) => {
    const { expr, step, start, end } = prepared(definition, range, lookup);
    const answer = await queryRange(expr, start, end, step, signal);
    return answer.flatMap((each) => regions(definition, each, { step, start, end }));
  });
  return (await Promise.all(asked)).flat();
}

/** The names of those that were so at a time, each once. */
export function namesAt(regions: AlertRegion[], time: number): string[] {
  const there = regions.filter(({ from, to, open }) => from <= time && (open || time <= to));
  return [...new Set(there.map(({ title }) => title))];
}

// More names than that are a number.
const NAMED = 4;

/** What the marks in the plots are, in words. Empty if there is none. */
export function legendText(regions: AlertRegion[]): string {
  const names = [...new Set(regions.map(({ title }) => title))];
  const more = names.length - NAMED;
  return [...names.slice(0, NAMED), ...(more > 0 ? [`${more} more`] : [])].join(', ');
}

const LEAST_WIDTH = 8;

/** Where the regions are in a plot. Those that begin and end together have one mark. */
export function marksOf(regions: AlertRegion[], min: number, max: number, position: (time: number) => number) {
  const marks = new Map<string, { left: number; width: number; regions: AlertRegion[] }>();
  for (const region of regions) {
    if (region.to < min || region.from > max) continue;
    const left = position(Math.max(region.from, min));
    const right = position(region.open ? max : Math.min(region.to, max));
    const width = Math.max(right - left, LEAST_WIDTH);
    const key = `${Math.round(left)} ${Math.round(width)}`;
    const same = marks.get(key);
    if (same) same.regions.push(region);
    else marks.set(key, { left: width > LEAST_WIDTH ? left : left - LEAST_WIDTH / 2, width, regions: [region] });
  }
  return [...marks.values()];
}
