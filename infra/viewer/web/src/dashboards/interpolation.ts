// Puts the values of variables into queries, titles and links: $x, ${x}, ${x:regex}, ${x.path} and [[x]].
import type { TimeRange } from '@grafana/data';
import { dateTimeFormat } from '../datetime';

export interface Value {
  value: string | string[];
  /** What people see: the names in place of the values. */
  text?: string | string[];
  /** Whether several values can be selected, so that its place in a query is a pattern. */
  pattern?: boolean;
  /** Stands in a query as it is: what a person wrote for "all". */
  verbatim?: boolean;
}

/** The value of a variable, by name. */
export type Lookup = (name: string) => Value | undefined;
/** How a value is written where no format is named. */
export type Writer = (value: Value) => string;

const REFERENCE = /\$(\w+)|\$\{([^{}]+)\}|\[\[([^[\]]+)\]\]/g;

/** The text with the values in their places. What names no variable stays as it is. */
export function interpolate(text: string, lookup: Lookup, write: Writer = asText): string {
  return text.replace(REFERENCE, (whole, plain?: string, braced?: string, bracketed?: string) => {
    const [name = '', ...formats] = (plain ?? braced ?? bracketed ?? '').split(':');
    const found = lookup(name) ?? lookup(name.split('.')[0] ?? '');
    if (!found) return whole;
    return formats.length > 0 ? formatted(found, formats.join(':')) : write(found);
  });
}

/** The variables that a text names. */
export function references(text: string): string[] {
  return [...text.matchAll(REFERENCE)].map(([, plain, braced, bracketed]) =>
    (plain ?? braced ?? bracketed ?? '').replace(/[:.].*/, ''),
  );
}

const list = (value: string | string[]) => (Array.isArray(value) ? value : [value]);

/** As people read it: a, b. */
export const asText: Writer = ({ value, text }) => list(text ?? value).join(' + ');

/** As a query of Prometheus has it, inside of its quotes: a pattern where several values can be selected. */
export const asPromQL: Writer = ({ value, pattern, verbatim }) => {
  if (verbatim) return list(value).join('|');
  if (!pattern) return escapedForQuotes(list(value).join(','));
  const parts = list(value).map((each) => escapedForQuotes(escapedForRegex(each)));
  return parts.length === 1 ? parts[0]! : `(${parts.join('|')})`;
};

/** As an address has it. */
export const asAddress: Writer = ({ value }) => list(value).map(encodeURIComponent).join(',');

function escapedForRegex(text: string): string {
  return text.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&');
}

function escapedForQuotes(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/"/g, '\\"');
}

function formatted(found: Value, format: string): string {
  const values = list(found.value);
  switch (format.replace(/:.*/, '')) {
    case 'raw':
    case 'csv':
      return values.join(',');
    case 'pipe':
      return values.join('|');
    case 'regex':
      return values.length === 1
        ? escapedForRegex(values[0]!)
        : `(${values.map((value) => escapedForRegex(value)).join('|')})`;
    case 'glob':
      return values.length === 1 ? values[0]! : `{${values.join(',')}}`;
    case 'json':
      return JSON.stringify(found.value);
    case 'singlequote':
      return values.map((value) => `'${value.replace(/'/g, "\\'")}'`).join(',');
    case 'doublequote':
      return values.map((value) => `"${value.replace(/"/g, '\\"')}"`).join(',');
    case 'percentencode':
    case 'uriencode':
      return values.map(encodeURIComponent).join(',');
    case 'text':
      return asText(found);
    case 'date': {
      const pattern = format.slice('date:'.length);
      if (pattern === 'seconds') return String(Math.floor(Number(values[0]) / 1000));
      if (!pattern || pattern === 'iso') return new Date(Number(values[0])).toISOString();
      return dateTimeFormat(Number(values[0]), { format: pattern, timeZone: 'utc' });
    }
    default:
      return values.join(',');
  }
}

/** What Grafana itself defines: the dashboard and its time range. */
export function builtIn(title: string, uid: string, range: TimeRange): Lookup {
  const [from, to] = [range.from.valueOf(), range.to.valueOf()];
  const seconds = Math.round((to - from) / 1000);
  const values: Record<string, string> = {
    __dashboard: title,
    '__dashboard.uid': uid,
    __from: String(from),
    __to: String(to),
    __range: `${seconds}s`,
    __range_s: String(seconds),
    __range_ms: String(to - from),
    __org: '1',
    timeFilter: '',
  };
  return lookupOf(values);
}

/** A lookup of plain texts. */
export function lookupOf(values: Record<string, string>): Lookup {
  return (name) => (Object.hasOwn(values, name) ? { value: values[name]! } : undefined);
}

/** The first of these that knows the name. */
export function firstOf(...lookups: (Lookup | undefined)[]): Lookup {
  return (name) => {
    for (const lookup of lookups) {
      const found = lookup?.(name);
      if (found) return found;
    }
    return undefined;
  };
}
