// What of a rule is text for people: values of alerts, and annotations that are still templates.
import type { Rule } from '../prometheus';

/** A value as Prometheus writes it ('1e+00'), for people. What is no number says so. */
export function valueText(value: string): string {
  if (value === 'NaN') return 'not a number';
  if (/^[+-]?Inf$/.test(value)) return value.startsWith('-') ? 'minus infinity' : 'infinity';
  const number = Number(value);
  return Number.isNaN(number) || value.trim() === '' ? value : String(Number(number.toPrecision(6)));
}

/** What a rule that does not fire would say. In quotes, because it is not so now. */
export function wouldSay({ annotations = {} }: Pick<Rule, 'annotations'>): string {
  const summary = withoutTemplates(annotations.summary ?? '');
  return summary && `Would say: “${summary}”`;
}

/** What an alert said that is over. Slack's message says that it was, PagerDuty's has the text of before. */
export function itWas(summary: string): string {
  return summary.startsWith(WAS) ? summary : `${WAS}${summary}`;
}
const WAS = 'Was: ';

/** An annotation of a rule that does not fire: … stands where its template has yet to put a value. */
export function withoutTemplates(annotation: string): string {
  let text = '';
  let depth = 0;
  for (const part of annotation.split(/(\{\{.*?\}\})/s)) {
    const action = part.match(/^\{\{-?\s*(\w*)/)?.[1];
    if (action === undefined) text += depth === 0 ? part : '';
    else if (action === 'end') depth -= 1;
    else if (depth === 0) text += '…';
    if (action && ['with', 'range', 'if', 'define', 'block'].includes(action)) depth += 1;
  }
  const plain = text.replace(/\s+/g, ' ').replace(/…+\.?/g, '…').trim();
  // A sentence does not begin with a comma: what comes before it is known once it fires.
  return capital(plain.replace(/^…[,:;]\s*/, ''));
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
