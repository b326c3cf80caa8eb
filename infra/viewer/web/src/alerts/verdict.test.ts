import { expect, test } from 'vitest';
import { itWas, valueText, withoutTemplates, wouldSay } from './texts';
import type { Row, State } from './rules';
import { verdict } from './verdict';

const row = (state: State, severity = 'critical'): Row => ({
  key: state,
  group: 'g',
  rule: { type: 'alerting', name: 'A', query: 'up == 0', health: 'ok', lastEvaluation: '' },
  state,
  severity,
  alerts: [],
});
const beats = { last_beat: 1, beating: true };
const known = { rulesOld: false, watchdog: beats, watchdogOld: false };

test('nothing is wrong only if rules are quiet and the Watchdog beats', () => {
  expect(verdict({ ...known, rows: [row('inactive'), row('always', 'none')] })).toEqual({
    level: 'good',
    title: 'Nothing is wrong.',
    detail: '1 alert rule quiet, and the Watchdog beats.',
  });
});

test.each([
  ['bad', '2 alerts fire: 1 critical, 1 warning.', { rows: [row('firing'), row('firing', 'warning')] }],
  ['warning', '1 alert fires: 1 warning.', { rows: [row('firing', 'warning')] }],
  ['bad', 'No alert would arrive: the Watchdog does not beat.', { watchdog: { last_beat: null, beating: false } }],
  ['bad', 'No alert fires, but 1 rule cannot be evaluated.', { rows: [row('error')] }],
  ['bad', 'Nothing would fire: Prometheus has no alert rules.', { rows: [] }],
  ['warning', 'No alert fires; 1 alert may soon.', { rows: [row('pending')] }],
  ['unknown', 'No alert fires; 1 rule not evaluated yet.', { rows: [row('waiting')] }],
  ['unknown', 'No alert fires, but the pager does not answer.', { watchdogOld: true }],
  [
    'unknown',
    'No alert fires, but the pager does not answer.',
    { watchdogOld: true, watchdog: { last_beat: 1, beating: false } },
  ],
  ['unknown', 'No alert fires. Asking the pager …', { watchdog: undefined }],
  ['unknown', 'Unknown whether anything is wrong: Prometheus does not answer.', { rows: undefined, rulesOld: true }],
  ['unknown', 'Asking Prometheus …', { rows: undefined }],
])('%s: %s', (level, title, changes) => {
  expect(verdict({ ...known, rows: [row('inactive')], ...changes })).toMatchObject({ level, title });
});

test('what to do first is told of the gravest, and among equals of the oldest', () => {
  const since = (name: string, severity: string, minute: number): Row => {
    const activeAt = `2020-03-09T14:0${minute}:00Z`;
    return {
      ...row('firing', severity),
      key: name,
      alerts: [{ state: 'firing', activeAt, value: '1', labels: {}, annotations: {} }],
    };
  };
  const symptom = since('symptom', 'critical', 5);
  const cause = since('cause', 'critical', 4);
  const older = since('older', 'warning', 1);

  expect(verdict({ ...known, rows: [symptom, cause, older] }).first).toBe(cause);
});

test('what fired when Prometheus last answered is told as old', () => {
  expect(verdict({ ...known, rulesOld: true, rows: [row('firing')] })).toMatchObject({
    level: 'unknown',
    detail: 'When it last answered, 1 alert fired: 1 critical.',
  });
});

test.each([
  ['1e+00', '1'],
  ['5.123456789e-02', '0.0512346'],
  ['NaN', 'not a number'],
  ['+Inf', 'infinity'],
  ['-Inf', 'minus infinity'],
  ['', ''],
])('the value %s is shown as %s', (value, text) => {
  expect(valueText(value)).toBe(text);
});

test('a template becomes one … for each value that it will have', () => {
  expect(
    withoutTemplates(
      'Date {{ with query "max(a{b=\\"c\\"})" }}{{ . | first | value }}{{ else }}unknown{{ end }}, lost {{ $value | humanize }} of {{ $labels.job }}.',
    ),
  ).toBe('Date …, lost … of …');
});

test('what does not fire is told as what would be said', () => {
  expect(wouldSay({ annotations: { summary: 'Redis is away.' } })).toBe('Would say: “Redis is away.”');
  expect(wouldSay({ annotations: { summary: 'Of {{ $value }} orders\n one failed.' } })).toBe(
    'Would say: “Of … orders one failed.”',
  );
  expect(
    wouldSay({ annotations: { summary: '{{ $labels.a }} has no {{ $labels.b }}{{ with $c }}{{ . }}{{ end }}.' } }),
  ).toBe('Would say: “… has no …”');
  expect(wouldSay({})).toBe('');
  expect(withoutTemplates('{{ $labels.date }}, the book lost.')).toBe('The book lost.');
});

test('what is over is told as what was, whoever was told', () => {
  expect(itWas('Redis is away.')).toBe('Was: Redis is away.');
  expect(itWas('Was: Redis is away.')).toBe('Was: Redis is away.');
});
