// The variables of a dashboard: what can be selected, and what is.
import type { TimeRange } from '@grafana/data';
import { rangeUtil, stringToJsRegex } from '../datetime';
import { labelNames, labelValues, queryInstant, series } from '../prometheus';
import { asPromQL, firstOf, interpolate, type Lookup, references, type Value } from './interpolation';
import type { VariableDefinition } from './model';

export const ALL = '$__all';

export interface Option {
  value: string;
  text: string;
}

export interface Variable {
  definition: VariableDefinition;
  options: Option[];
  /** What is selected: one, or several where `multi`. */
  selected: string[];
  /** Why its options are not known, or why this viewer does not have it. */
  problem?: string;
}

/** What an address says, by the names of the variables. */
export type Chosen = Record<string, string[]>;

const DRAWN = ['query', 'custom', 'constant', 'interval', 'textbox', 'datasource', 'switch'];

/** What a query variable asks Prometheus for. */
export type Question =
  | { kind: 'values'; label: string; selector?: string }
  | { kind: 'names'; pattern?: string }
  | { kind: 'metrics'; pattern: string }
  | { kind: 'result'; expr: string }
  | { kind: 'series'; selector: string };

export function parseQuestion(text: string): Question {
  const query = text.trim();
  const values = query.match(/^label_values\(\s*(?:([\s\S]*\S)\s*,\s*)?([a-zA-Z_$][\w$]*|\$\{\w+\})\s*,?\s*\)$/);
  if (values) return { kind: 'values', label: values[2]!, ...(values[1] && { selector: values[1] }) };
  const names = query.match(/^label_names\((.*)\)$/s);
  if (names) return { kind: 'names', ...(names[1]?.trim() && { pattern: names[1].trim() }) };
  const metrics = query.match(/^metrics\((.*)\)$/s);
  if (metrics) return { kind: 'metrics', pattern: metrics[1]!.trim() };
  const result = query.match(/^query_result\((.*)\)$/s);
  if (result) return { kind: 'result', expr: result[1]!.trim() };
  return { kind: 'series', selector: query };
}

const written = (labels: Record<string, string>) => {
  const { __name__: name = '', ...rest } = labels;
  const pairs = Object.entries(rest).map(([key, value]) => `${key}="${value}"`);
  return pairs.length > 0 ? `${name}{${pairs.join(', ')}}` : name;
};

async function ask(text: string, range: TimeRange): Promise<string[]> {
  const question = parseQuestion(text);
  const [from, to] = [range.from.valueOf() / 1000, range.to.valueOf() / 1000];
  const matching = (pattern: string | undefined, names: string[]) =>
    pattern ? names.filter((name) => new RegExp(pattern).test(name)) : names;
  switch (question.kind) {
    case 'values':
      return labelValues(question.label, question.selector, from, to);
    case 'names':
      return matching(question.pattern, await labelNames(undefined, from, to));
    case 'metrics':
      return matching(question.pattern, await labelValues('__name__', undefined, from, to));
    case 'result':
      return (await queryInstant(question.expr, to)).map(({ metric, values }) => {
        const [time, value] = values.at(-1) ?? [to, ''];
        return `${written(metric)} ${value} ${Math.round(time * 1000)}`;
      });
    case 'series':
      return (await series(question.selector, from, to)).map(written);
  }
}

/** What a variable's `regex` leaves: the group `value` or the first one, and `text` where it is named. */
export function filtered(values: string[], regex: string | undefined): Option[] {
  const plain = (value: string) => ({ value, text: value });
  const options = regex ? values.flatMap((value) => matched(value, regex)) : values.map(plain);
  return [...new Map(options.map((option) => [option.value, option])).values()];
}

function matched(value: string, regex: string): Option[] {
  const pattern = stringToJsRegex(regex.startsWith('/') ? regex : `/${regex}/`);
  const found = value.match(new RegExp(pattern.source, pattern.flags.replace('g', '')));
  if (!found) return [];
  const chosen = found.groups?.value ?? found[1] ?? (found.groups?.text ? found.groups.text : value);
  return [{ value: chosen, text: found.groups?.text ?? chosen }];
}

/** In the order of the variable's `sort`: 0 as they came, then by letters, by number, without case, naturally. */
export function sorted(options: Option[], sort = 0): Option[] {
  const number = ({ text }: Option) => Number(text.match(/.*?(\d+).*/)?.[1] ?? -1);
  const orders: ((a: Option, b: Option) => number)[] = [
    (a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0),
    (a, b) => number(a) - number(b),
    (a, b) => a.text.toLowerCase().localeCompare(b.text.toLowerCase(), 'en'),
    (a, b) => a.text.localeCompare(b.text, 'en', { numeric: true, sensitivity: 'base' }),
  ];
  const order = orders[Math.ceil(sort / 2) - 1];
  if (!order) return options;
  const result = options.toSorted(order);
  return sort % 2 === 0 ? result.reverse() : result;
}

/** `a, b, name : value`, as a custom variable has them. */
export function listed(text: string): Option[] {
  return [...text.matchAll(/(?:\\,|[^,])+/g)]
    .map(([part]) => part.replaceAll('\\,', ',').trim())
    .map((part) => {
      const pair = part.match(/^(.+)\s:\s(.+)$/);
      return pair ? { text: pair[1]!.trim(), value: pair[2]!.trim() } : { text: part, value: part };
    });
}

export function queryText(definition: VariableDefinition): string {
  const { query } = definition;
  return (typeof query === 'string' ? query : query?.query) || definition.definition || '';
}

const saved = (definition: VariableDefinition): string[] => [definition.current?.value ?? []].flat().map(String);

async function optionsOf(definition: VariableDefinition, lookup: Lookup, range: TimeRange): Promise<Option[]> {
  const text = queryText(definition);
  switch (definition.type) {
    case 'query': {
      const values = await ask(interpolate(text, lookup, asPromQL), range);
      const regex = definition.regex && interpolate(definition.regex, lookup, asPromQL);
      return sorted(filtered(values, regex), definition.sort);
    }
    case 'custom':
      return listed(interpolate(text, lookup));
    case 'interval':
      return [
        ...(definition.auto ? [{ text: 'auto', value: autoInterval(definition, range) }] : []),
        ...listed(text.replace(/\s/g, ',')).filter(({ value }) => value),
      ];
    case 'datasource':
      return text === 'prometheus' ? [{ text: 'Prometheus', value: 'prometheus' }] : [];
    case 'constant':
      return [{ text, value: text }];
    case 'switch':
      return (definition.options ?? []).map(({ text: shown, value }) => ({
        text: String(shown),
        value: String(value),
      }));
    default:
      return [];
  }
}

function autoInterval({ auto_count, auto_min }: VariableDefinition, range: TimeRange): string {
  return rangeUtil.calculateInterval(range, auto_count || 30, auto_min || '10s').interval;
}

/** What is selected: what the address says, else what the file says if there is such an option, else the first one. */
export function select(definition: VariableDefinition, options: Option[], chosen: string[] | undefined): string[] {
  if (definition.type === 'constant') return options.map(({ value }) => value);
  if (definition.type === 'textbox')
    return chosen ?? (saved(definition).length ? saved(definition) : [queryText(definition)]);
  const known = new Set(options.map(({ value }) => value));
  const all = definition.includeAll ? [ALL] : [];
  const asked = chosen?.map((value) => (value === 'All' && definition.includeAll && !known.has('All') ? ALL : value));
  // What a person wrote into the address stands, even if Prometheus does not have it: the panels then say "No data".
  if (asked?.length && definition.type !== 'datasource') return definition.multi ? asked : asked.slice(0, 1);
  const auto = options.find(({ text }) => text === 'auto');
  const before = saved(definition)
    .map((value) => (value.startsWith('$__auto') && auto ? auto.value : value))
    .filter((value) => known.has(value) || all.includes(value));
  if (before.length > 0) return definition.multi ? before : before.slice(0, 1);
  if (options.length === 0 && definition.type === 'query' && !definition.includeAll) return saved(definition);
  return all.length > 0 ? all : options.slice(0, 1).map(({ value }) => value);
}

/** The values that stand for a selection, of which "all" may be every option. */
export function expanded({ options, selected }: Variable): string[] {
  return selected.includes(ALL) ? options.map(({ value }) => value) : selected;
}

/** What the selection is in queries and texts. */
export function valueOf(variable: Variable): Value {
  const { definition, options, selected } = variable;
  const pattern = Boolean(definition.multi || definition.includeAll);
  if (selected.includes(ALL)) {
    // Nothing to choose from is not "nothing": a pattern without words would leave only series without the label.
    const written = definition.allValue || (options.length === 0 ? '.*' : undefined);
    if (written) return { value: written, text: 'All', verbatim: true };
    return { value: expanded(variable), text: 'All', pattern };
  }
  const text = selected.map((value) => options.find((option) => option.value === value)?.text ?? value);
  if (definition.multi) return { value: selected, text, pattern };
  return { value: selected[0] ?? '', text: text[0] ?? '', pattern };
}

export function lookupIn(variables: Variable[]): Lookup {
  return (name) => {
    const found = variables.find(({ definition }) => definition.name === name);
    return found && valueOf(found);
  };
}

/** Those on which others depend come first; otherwise in the order of the file. */
export function inOrder(definitions: VariableDefinition[]): VariableDefinition[] {
  const placed: VariableDefinition[] = [];
  const visit = (definition: VariableDefinition, path: string[]) => {
    if (placed.includes(definition) || path.includes(definition.name)) return;
    for (const name of references(`${queryText(definition)} ${definition.regex ?? ''}`)) {
      const other = definitions.find((each) => each.name === name);
      if (other) visit(other, [...path, definition.name]);
    }
    placed.push(definition);
  };
  for (const definition of definitions) visit(definition, []);
  return placed;
}

/** The variables with their options and what is selected. Never raises: a problem is part of the variable. */
export async function resolve(
  definitions: VariableDefinition[],
  chosen: Chosen,
  range: TimeRange,
  others: Lookup,
  before: Variable[] = [],
): Promise<Variable[]> {
  const resolved: Variable[] = [];
  for (const definition of inOrder(definitions)) {
    const earlier = before.find((each) => each.definition.name === definition.name);
    let options: Option[] = earlier?.options ?? [];
    let problem: string | undefined;
    if (!DRAWN.includes(definition.type))
      problem = `This viewer does not have variables of the kind '${definition.type}'.`;
    else if (definition.type === 'datasource' && queryText(definition) !== 'prometheus')
      problem = `This viewer has no data source of the type '${queryText(definition)}'.`;
    else
      try {
        options = await optionsOf(definition, firstOf(lookupIn(resolved), others), range);
      } catch (error) {
        problem = error instanceof Error ? error.message : String(error);
      }
    const selected = select(definition, options, chosen[definition.name]);
    resolved.push({ definition, options, selected, ...(problem && { problem }) });
  }
  return definitions.map((definition) => resolved.find((each) => each.definition === definition)!);
}

/** The selections that an address has: `var-x=a&var-x=b`. */
export function chosenIn(address: URLSearchParams): Chosen {
  const chosen: Chosen = {};
  for (const [key, value] of address) if (key.startsWith('var-')) (chosen[key.slice(4)] ??= []).push(value);
  return chosen;
}

/** The selections as an address has them. */
export function addressOf(variables: Variable[]): [string, string][] {
  return variables
    .filter(({ definition }) => !definition.skipUrlSync && definition.type !== 'constant')
    .flatMap(({ definition, selected }) =>
      selected.map((value): [string, string] => [`var-${definition.name}`, value]),
    );
}
