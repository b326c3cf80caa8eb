import { expect, test } from 'vitest';
import { exploreLink, runbookLink } from './links';

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
