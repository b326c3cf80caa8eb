// Where the links of dashboards and panels lead.
import type { Span } from '../time';
import { asAddress, interpolate, type Lookup, asText } from './interpolation';
import type { Link, Listed } from './model';
import { addressOf, type Variable } from './variables';

export interface Destination {
  title: string;
  tooltip?: string;
  href: string;
  /** A page of this viewer, which opens without a reload. */
  internal: boolean;
  newTab: boolean;
}

/** An address within this viewer, or as it is. The runbooks' own address stands in the dashboards: they are here, too. */
export function resolved(url: string): { href: string; internal: boolean } {
  const runbook = url.match(/^https?:\/\/[^/]+\/runbooks(#[\w-]*)?$/) ?? url.match(/^\/?runbooks(#[\w-]*)?$/);
  if (runbook) return { href: `/runbooks${runbook[1] ?? ''}`, internal: true };
  // Where Grafana lists its alerts.
  if (/^\/?alerting\/list(\?|$)/.test(url)) return { href: '/alerts', internal: true };
  const path = url.replace(/^\.?\/?(?=d\/)/, '/');
  // Nothing but addresses of the web: a `javascript:` of a stranger's file must not run.
  if (/^\/(?!\/)/.test(path)) return { href: path, internal: /^\/(d\/|alerts|runbooks|explore|$)/.test(path) };
  return { href: /^(https?:|mailto:)/i.test(path) ? path : '#', internal: false };
}

function extended(url: string, link: Link, span: Span, variables: Variable[]): string {
  const [address = '', fragment] = url.split('#');
  const more: [string, string][] = [
    ...(link.keepTime
      ? ([
          ['from', span.from],
          ['to', span.to],
        ] as [string, string][])
      : []),
    ...(link.includeVars ? addressOf(variables) : []),
  ];
  if (more.length === 0) return url;
  const query = new URLSearchParams(more).toString();
  return `${address}${address.includes('?') ? '&' : '?'}${query}${fragment === undefined ? '' : `#${fragment}`}`;
}

/** The links as they are shown. `boards` are all dashboards, of which a link may choose some by their tags. */
export function destinations(
  links: Link[] = [],
  boards: Listed[],
  span: Span,
  variables: Variable[],
  lookup: Lookup,
): Destination[] {
  return links.flatMap((link): Destination[] => {
    if (link.type === 'dashboards') {
      const wanted = link.tags ?? [];
      return boards
        .filter(({ tags = [] }) => wanted.every((tag) => tags.includes(tag)))
        .map(({ uid, title }) => ({
          title,
          href: extended(`/d/${uid}`, link, span, variables),
          internal: true,
          newTab: Boolean(link.targetBlank),
        }));
    }
    const { href, internal } = resolved(
      extended(interpolate(link.url ?? '', lookup, asAddress), link, span, variables),
    );
    return [
      {
        title: interpolate(link.title ?? '', lookup, asText) || href,
        href,
        internal,
        newTab: Boolean(link.targetBlank) && !internal,
        ...(link.tooltip && { tooltip: interpolate(link.tooltip, lookup, asText) }),
      },
    ];
  });
}
