import { expect, test } from 'vitest';
import { isQuery, metricsOf, withoutPlaceholders } from './promql';

const KNOWN = new Set(['up', 'orders_total', 'ALERTS']);

test.each([
  ['up', true],
  ['up{job="otel-collector"}', true],
  ['time() - orders_total > 30', true],
  ['sum by (reason) (increase(orders_total[1h]))', true],
  ['rate(orders_total[5m]) / rate(other_total[5m])', true],
  ['ALERTS{alertname="Watchdog"}', true],
  ['other_total', false],
  ['make', false],
  ['make up', false],
  ['rate(orders_total[5m]', false],
  ['GET :8002/up', false],
  ['SELECT up FROM orders_total', false],
  ['count_over_time', false],
  ['1 + 1', false],
  ['', false],
])('%s is a query: %s', (text, query) => {
  expect(isQuery(text, KNOWN)).toBe(query);
});

test('the metrics of an expression are those that it selects, not its labels and functions', () => {
  expect(metricsOf('sum by (job) (rate(a_total{b="c"}[5m])) / on (job) max(d)')).toEqual(new Set(['a_total', 'd']));
});

test.each([
  ['up{job="..."}', 'up'],
  ['rate(a_sum{job="..."}[1m])', 'rate(a_sum[1m])'],
  ['a{job="...", code="500"}', 'a{code="500"}'],
  ['a{job="b"}', 'a{job="b"}'],
])('%s is asked as %s', (text, query) => {
  expect(withoutPlaceholders(text)).toBe(query);
});
