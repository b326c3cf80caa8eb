import { expect, test } from 'vitest';
import { dashboardLink, exploreLink, runbookLink } from './links';

test('the expressions in the address of Explore can be read again', () => {
  const link = exploreLink(['rate(a_total{b="c & d"}[5m])', '1 + 1'], '1000', '2000');
  const parameters = new URL(link, 'http://localhost').searchParams;
  expect(parameters.getAll('expr')).toEqual(['rate(a_total{b="c & d"}[5m])', '1 + 1']);
  expect([parameters.get('from'), parameters.get('to')]).toEqual(['1000', '2000']);
});

test.each([
  ['http://127.0.0.1:9099/runbooks#circuitbreakertripped', '/runbooks#circuitbreakertripped'],
  ['{{ $externalLabels.runbooks }}#watchdog', '/runbooks#watchdog'],
  ['/runbooks#watchdog', '/runbooks#watchdog'],
  ['https://wiki.example/runbooks/cache#restart', 'https://wiki.example/runbooks/cache#restart'],
  ['javascript:alert(1)', undefined],
  [undefined, undefined],
])('the runbook of %s is at %s', (address, link) => {
  expect(runbookLink(address)).toBe(link);
});

test.each([
  ['http://127.0.0.1:3000/d/risk-monitoring?viewPanel=3&from=now-1h', '/d/risk-monitoring?viewPanel=3&from=now-1h'],
  ['{{ $externalLabels.dashboards }}/d/slo', '/d/slo'],
  ['{{ $externalLabels.grafana }}/d/slo?var-job={{ $labels.job }}', '/d/slo'],
  ['https://graphs.example/x', 'https://graphs.example/x'],
  ['javascript:alert(1)', undefined],
  [undefined, undefined],
])('the dashboard of %s is at %s', (address, link) => {
  expect(dashboardLink(address)).toBe(link);
});
