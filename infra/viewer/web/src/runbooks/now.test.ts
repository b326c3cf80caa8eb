import { expect, test } from 'vitest';
import type { Rule } from '../prometheus';
import { nowByAlert } from './now';

const rule = (name: string, health: string, active: ['firing' | 'pending', string][] = []): Rule => ({
  type: 'alerting',
  name,
  query: 'up',
  health,
  lastEvaluation: '',
  alerts: active.map(([state, activeAt]) => ({ state, activeAt, value: '1', labels: {}, annotations: {} })),
});

test('the worst state of the rules with one name is that of the alert, since its oldest alert', () => {
  const rules = [
    rule('MetricMissing', 'ok'),
    rule('MetricMissing', 'ok', [
      ['firing', '1970-01-01T00:00:09Z'],
      ['pending', '1970-01-01T00:00:01Z'],
    ]),
    rule('MetricMissing', 'ok', [['firing', '1970-01-01T00:00:07Z']]),
    rule('ServiceDown', 'ok', [['pending', '1970-01-01T00:00:03Z']]),
    rule('Broken', 'err'),
    rule('Fresh', 'unknown'),
    rule('Quiet', 'ok'),
    { ...rule('Watchdog', 'ok', [['firing', '1970-01-01T00:00:02Z']]), labels: { severity: 'none' } },
    { ...rule('slo:ratio', 'ok'), type: 'recording' as const },
  ];
  expect(Object.fromEntries(nowByAlert([{ name: 'a', file: '', interval: 1, rules }]))).toEqual({
    metricmissing: { state: 'firing', since: 7000 },
    servicedown: { state: 'pending', since: 3000 },
    broken: { state: 'error' },
    fresh: { state: 'waiting' },
    quiet: { state: 'inactive' },
    watchdog: { state: 'always', since: 2000 },
  });
});
