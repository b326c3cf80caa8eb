// The rules as rows: each with its state, in the order in which somebody should look at them.
import type { Alert, Labels, Rule, RuleGroup } from '../prometheus';

/** `error`: it cannot be evaluated. `waiting`: it was not yet. `always`: it fires to show that alerting works. */
export type State = 'firing' | 'pending' | 'error' | 'waiting' | 'inactive' | 'always' | 'recording';

export interface Row {
  key: string;
  group: string;
  rule: Rule;
  state: State;
  severity: string;
  /** Those that fire first, then the newest. */
  alerts: Alert[];
}

export interface Filter {
  states: State[];
  severities: string[];
  text: string;
}

export const STATES: State[] = ['firing', 'pending', 'error', 'waiting', 'inactive', 'always', 'recording'];
const SEVERITIES = ['critical', 'warning', 'info'];

function stateOf(rule: Rule): State {
  // Of a rule that fired before it failed, Prometheus keeps the alerts.
  if (rule.state === 'firing') return firesAlways(rule) ? 'always' : 'firing';
  if (rule.state === 'pending') return 'pending';
  if (rule.health === 'err') return 'error';
  // Of a rule that only records, nobody waits for the first result.
  if (rule.type === 'recording') return 'recording';
  return rule.health === 'unknown' ? 'waiting' : 'inactive';
}

/** Whether a rule fires to show that alerting works: it has the severity of nothing that is wrong. */
export const firesAlways = (rule: Rule): boolean => rule.labels?.severity === 'none';

const severityRank = (severity: string): number => {
  const rank = SEVERITIES.indexOf(severity);
  return rank === -1 ? SEVERITIES.length : rank;
};

/** Where among the rows a state stands: all that is not loud has the same place. */
const place = (row: Row): number => Math.min(STATES.indexOf(row.state), STATES.indexOf('inactive'));

/** What is wrong first, the worst of it and then the newest at its head; then the rest as Prometheus has it. */
export function rows(groups: RuleGroup[]): Row[] {
  const all = groups.flatMap(({ name: group, rules }) =>
    rules.map((rule, index): Row => {
      const alerts = [...(rule.alerts ?? [])].sort(
        (a, b) => +(b.state === 'firing') - +(a.state === 'firing') || since(b) - since(a),
      );
      const severity = rule.labels?.severity ?? '';
      return { key: `${group}/${index}/${rule.name}`, group, rule, state: stateOf(rule), severity, alerts };
    }),
  );
  return all.sort((a, b) => place(a) - place(b) || (isLoud(a) ? byUrgency(a, b) : 0));
}

/** Whether a row asks for somebody. */
export const isLoud = (row: Row): boolean => STATES.indexOf(row.state) < STATES.indexOf('inactive');

function byUrgency(a: Row, b: Row): number {
  const newest = (row: Row) => (row.alerts[0] ? since(row.alerts[0]) : 0);
  return severityRank(a.severity) - severityRank(b.severity) || newest(b) - newest(a);
}

const AT_ONCE = 1_000;

/**
 * The worst of these, of which the oldest: what came after it may have come from it. Of those that began in one second,
 * it is the first of the list.
 */
export function gravest(all: Row[]): Row | undefined {
  const began = ({ alerts }: Row) => Math.min(...alerts.map(since));
  const worst = Math.min(...all.map(({ severity }) => severityRank(severity)));
  const found = all.filter(({ severity }) => severityRank(severity) === worst);
  const first = Math.min(...found.map(began));
  return found.find((row) => began(row) - first <= AT_ONCE);
}

/** Since when an alert is active, in milliseconds. */
export function since(alert: Alert): number {
  return Date.parse(alert.activeAt);
}

/** Every word of the text must be found somewhere in the rule or its alerts. */
export function matches(row: Row, { states, severities, text }: Filter): boolean {
  if (states.length > 0 && !states.includes(row.state)) return false;
  if (severities.length > 0 && !severities.includes(row.severity)) return false;
  const { rule } = row;
  const maps: (Labels | undefined)[] = [rule.labels, rule.annotations];
  for (const alert of row.alerts) maps.push(alert.labels, alert.annotations);
  const words = maps.flatMap((map) => Object.entries(map ?? {}).map(([name, value]) => `${name}=${value}`));
  const where = [row.group, rule.name, rule.query, ...words].join('\n').toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => where.includes(word));
}

export function countBy(all: Row[], what: (row: Row) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const row of all) counts.set(what(row), (counts.get(what(row)) ?? 0) + 1);
  return counts;
}

/** The rows of each group, in the order in which they come. */
export function byGroup(all: Row[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of all) groups.set(row.group, [...(groups.get(row.group) ?? []), row]);
  return groups;
}

/** The severities that rules have, the worst first. */
export function severitiesOf(all: Row[]): string[] {
  const found = [...new Set(all.map((row) => row.severity))].filter(Boolean);
  return found.sort((a, b) => severityRank(a) - severityRank(b) || (a < b ? -1 : 1));
}

/** The labels that tell the alerts of a rule apart: not those that are shown elsewhere. */
export function shownLabels(labels: Labels): [string, string][] {
  return Object.entries(labels)
    .filter(([name]) => name !== 'alertname' && name !== 'severity')
    .sort(([a], [b]) => (a < b ? -1 : 1));
}
