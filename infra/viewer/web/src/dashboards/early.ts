// Asks what the first window of a dashboard shows, before the components that draw it are there. It needs none of them.
import type { TimeRange } from '@grafana/data';
import { askAhead } from '../prometheus';
import { rangeOf, type Span } from '../time';
import { annotationRequests, drawn } from './annotations';
import { builtIn, firstOf } from './interpolation';
import { boxesOf, GAP, isFirst, place } from './layout';
import { type Dashboard, isQueried } from './model';
import { asked, pointsOf, requestsOf } from './queries';
import { chosenIn, lookupIn, resolve, type Variable } from './variables';

/** What was asked: in this range, with these variables, if they were known in time. */
export interface First {
  range: TimeRange;
  variables?: Variable[];
}

// As long as the components may wait for Prometheus to say what the variables can be, in milliseconds.
const PATIENCE = 300;

/** The time that an address chooses, or the dashboard's own. */
export function spanIn(address: URLSearchParams, { time }: Dashboard): Span {
  return { from: address.get('from') ?? time?.from ?? 'now-6h', to: address.get('to') ?? time?.to ?? 'now' };
}

export const timeZoneOf = ({ timezone }: Dashboard) => timezone || 'browser';

/** Ends when the panels were asked, and not when they were answered. */
export async function askedEarly(dashboard: Dashboard, search: string): Promise<First> {
  const address = new URLSearchParams(search);
  const range = rangeOf(spanIn(address, dashboard), timeZoneOf(dashboard));
  const own = builtIn(dashboard.title, dashboard.uid, range);
  const resolving = resolve(dashboard.templating?.list ?? [], chosenIn(address), range, own);
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, PATIENCE, undefined));
  const variables = await Promise.race([resolving, late]);
  if (!variables) return { range };
  // A panel on its own is asked when it is drawn.
  if (address.has('viewPanel')) return { range, variables };
  const lookup = firstOf(lookupIn(variables), own);
  const width = document.documentElement.clientWidth - 2 * GAP;
  for (const { placed, top, width: wide } of boxesOf(place(dashboard.panels ?? [], variables, new Set()), width)) {
    const { panel, own: mine } = placed;
    if (!isQueried(panel.type) || !isFirst(top)) continue;
    const scope = firstOf(mine, lookup);
    requestsOf(panel, asked(panel, dashboard, scope).targets, range, pointsOf(wide), scope).forEach(askAhead);
  }
  annotationRequests(drawn(dashboard.annotations?.list), range, lookup).forEach(askAhead);
  return { range, variables };
}
