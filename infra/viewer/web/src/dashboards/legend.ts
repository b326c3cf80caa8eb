// What a series is called.
import type { Labels } from '../prometheus';

/** A series by its labels: `name{a="b"}`. */
export function nameOf(labels: Labels): string {
  const { __name__: name = '', ...rest } = labels;
  const pairs = Object.entries(rest).map(([key, value]) => `${key}="${value}"`);
  return pairs.length > 0 ? `${name}{${pairs.join(', ')}}` : name;
}

/** What a series is called, or undefined where its labels decide: those that tell it from the others. */
export function legendOf(format: string | undefined, labels: Labels, expr: string): string | undefined {
  if (format === '__auto') return Object.keys(labels).length > 0 ? undefined : expr;
  if (format) return format.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label: string) => labels[label] ?? '');
  return nameOf(labels) || expr;
}
