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

test('the dashboard of an alert shows the time around it, to the present as long as it fires', () => {
  expect(dashboardLink('/d/slo', { from: 600_000 })).toBe('/d/slo?from=300000&to=now');
  expect(dashboardLink('/d/slo?var-job=a', { from: 600_000, to: 900_000 })).toBe(
    '/d/slo?var-job=a&from=300000&to=1200000',
  );
  expect(dashboardLink('/d/slo?from=now-1h', { from: 600_000 })).toBe('/d/slo?from=now-1h');
});
