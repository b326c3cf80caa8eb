// Stands in for @grafana/i18n: the components are in English, and to look up each of their words takes its time.
import { cloneElement, isValidElement } from 'react';

const filled = (text, values) =>
  text.replace(/\{\{\s*(\w+).*?\}\}/g, (whole, name) => (values?.[name] === undefined ? whole : String(values[name])));

/** The English text, with its values. */
export function t(_, text, values) {
  return filled(values?.[values.count === 1 ? 'defaultValue_one' : 'defaultValue_other'] ?? text, values);
}

/** What stands in it, with its values, which are written as `{{ total: 3 }}`. */
export function Trans({ children, values }) {
  return written(children, values);
}

function written(child, values, key) {
  if (Array.isArray(child)) return child.map((each, index) => written(each, values, index));
  if (typeof child === 'string') return filled(child, values);
  if (isValidElement(child)) {
    const inside = child.props.children;
    return cloneElement(child, { key: child.key ?? key }, ...(inside === undefined ? [] : [written(inside, values)]));
  }
  return child !== null && typeof child === 'object' ? String(Object.values(child)[0]) : child;
}
