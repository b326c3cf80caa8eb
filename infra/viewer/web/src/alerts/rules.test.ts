import { expect, test } from 'vitest';
import type { Alert, Rule, RuleGroup } from '../prometheus';
import { readFilter, toggled, writeFilter } from './filter';
import { matches, rows, severitiesOf, shownLabels } from './rules';

const alert = (activeAt: string, labels = {}): Alert => ({
  state: 'firing',
  activeAt,
  value: '1e+00',
  labels,
  annotations: { summary: 'Redis is unreachable.' },
});
const rule = (name: string, changes: Partial<Rule> = {}): Rule => ({
  type: 'alerting',
  name,
  query: `${name.toLowerCase()} > 0`,
  health: 'ok',
  lastEvaluation: '2020-03-05T10:00:00Z',
  state: 'inactive',
  labels: { severity: 'critical' },
  ...changes,
});
const group = (name: string, rules: Rule[]): RuleGroup => ({ name, file: 'f', interval: 1, rules });

const firing = (name: string, severity: string, activeAt: string) =>
  rule(name, { state: 'firing', labels: { severity }, alerts: [alert(activeAt, { job: 'gateway' })] });

const GROUPS = [
  group('a', [
    rule('Quiet'),
    firing('Warning', 'warning', '2020-03-05T10:00:00Z'),
    firing('OldCritical', 'critical', '2020-03-05T09:00:00Z'),
    rule('Broken', { health: 'err', lastError: 'many-to-many' }),
    firing('Watchdog', 'none', '2020-03-05T08:00:00Z'),
  ]),
  group('b', [
    rule('recorded:ratio', { type: 'recording', state: undefined, labels: undefined }),
    rule('Pending', { state: 'pending', alerts: [alert('2020-03-05T10:00:00Z')] }),
    firing('NewCritical', 'critical', '2020-03-05T10:00:00Z'),
    rule('Fresh', { health: 'unknown' }),
    rule('fresh:ratio', { type: 'recording', state: undefined, labels: undefined, health: 'unknown' }),
    rule('AlsoQuiet', { labels: { severity: 'warning' } }),
  ]),
];
const names = (all: ReturnType<typeof rows>) => all.map((row) => `${row.rule.name} ${row.state}`);

test('what fires comes first, then what is pending, cannot be evaluated or was not yet, then the rest by group', () => {
  expect(names(rows(GROUPS))).toEqual([
    'NewCritical firing',
    'OldCritical firing',
    'Warning firing',
    'Pending pending',
    'Broken error',
    'Fresh waiting',
    'Quiet inactive',
    'Watchdog always',
    'recorded:ratio recording',
    'fresh:ratio recording',
    'AlsoQuiet inactive',
  ]);
});

test('a rule that fired before it failed still fires', () => {
  const failed = { ...firing('Fails', 'critical', '2020-03-05T10:00:00Z'), health: 'err' };
  expect(rows([group('a', [failed])])[0]!.state).toBe('firing');
});

test('the alerts of a rule that fire come before those that are pending, and the newest first', () => {
  const several = rule('Several', {
    state: 'firing',
    alerts: [
      alert('2020-03-05T09:00:00Z'),
      { ...alert('2020-03-05T12:00:00Z'), state: 'pending' },
      alert('2020-03-05T11:00:00Z'),
    ],
  });
  expect(rows([group('a', [several])])[0]!.alerts.map((one) => one.activeAt)).toEqual([
    '2020-03-05T11:00:00Z',
    '2020-03-05T09:00:00Z',
    '2020-03-05T12:00:00Z',
  ]);
});

test.each([
  ['state=firing&severity=critical', ['NewCritical', 'OldCritical']],
  ['severity=warning', ['Warning', 'AlsoQuiet']],
  ['q=REDIS+newcrit', ['NewCritical']],
  ['q=job%3Dgateway&state=firing,always', ['NewCritical', 'OldCritical', 'Warning', 'Watchdog']],
  ['q=nothing', []],
])('the address %s shows %j', (address, found) => {
  const filter = readFilter(new URLSearchParams(address));
  expect(
    rows(GROUPS)
      .filter((row) => matches(row, filter))
      .map((row) => row.rule.name),
  ).toEqual(found);
});

test('a filter is the same after its way through the address, and an unknown state is left out', () => {
  const filter = readFilter(new URLSearchParams('state=firing,loud,error&severity=critical,page&q=a%26b+c'));
  expect(filter).toEqual({ states: ['firing', 'error'], severities: ['critical', 'page'], text: 'a&b c' });
  expect(readFilter(writeFilter(filter))).toEqual(filter);
  expect(String(writeFilter({ states: [], severities: [], text: '' }))).toBe('');
});

test('a pill that is pressed again is no longer in the list', () => {
  expect(toggled(toggled(['a'], 'b'), 'a')).toEqual(['b']);
});

test('severities come worst first, and labels by name without those that are shown elsewhere', () => {
  expect(severitiesOf(rows(GROUPS))).toEqual(['critical', 'warning', 'none']);
  expect(shownLabels({ team: 't', severity: 's', alertname: 'a', job: 'j' })).toEqual([
    ['job', 'j'],
    ['team', 't'],
  ]);
});
