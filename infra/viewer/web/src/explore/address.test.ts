import { expect, test } from 'vitest';
import { exploreLink } from '../links';
import { readAddress, writeAddress } from './address';

test('what is asked is the same after its way through the address', () => {
  const asked = {
    expressions: ['sum by (job) (rate(a_total{b=~"c|d&e"}[5m])) > 0', 'up # 100 %+1'],
    span: { from: 'now-6h', to: 'now-1h' },
    refresh: '10s',
  };
  expect(readAddress(new URLSearchParams(String(writeAddress(asked))))).toEqual(asked);
});

test('an address that says nothing asks nothing, of the last 15 minutes', () => {
  expect(readAddress(new URLSearchParams('expr=&expr=+'))).toEqual({
    expressions: [],
    span: { from: 'now-15m', to: 'now' },
    refresh: '',
  });
});

test('links from other pages are read', () => {
  const link = new URL(exploreLink(['up', 'time()'], 'now-1h'), 'http://localhost');
  expect(readAddress(link.searchParams)).toEqual({
    expressions: ['up', 'time()'],
    span: { from: 'now-1h', to: 'now' },
    refresh: '',
  });
});

test('a refresh that is no duration is none', () => {
  expect(readAddress(new URLSearchParams('refresh=often')).refresh).toBe('');
});
