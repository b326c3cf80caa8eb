import { expect, test } from 'vitest';
import { PageLog, told, type Page } from './pager';

const page = (received_at: number, channel = 'slack'): Page => ({
  channel,
  receiver: channel,
  status: 'firing',
  alerts: [],
  received_at,
});

test('pages come newest first, and later only what is new is asked for', async () => {
  const asked: number[] = [];
  const answers = [[page(100), page(200)], [page(200), page(200, 'pagerduty'), page(300)], []];
  const log = new PageLog(async (since) => {
    asked.push(since);
    return answers[asked.length - 1]!;
  });
  expect((await log.newest()).map((entry) => entry.received_at)).toEqual([200, 100]);
  const second = await log.newest();
  expect(second.map((entry) => [entry.received_at, entry.channel])).toEqual([
    [300, 'slack'],
    [200, 'pagerduty'],
    [200, 'slack'],
    [100, 'slack'],
  ]);
  expect(await log.newest()).toBe(second);
  expect(asked).toEqual([0, 140, 240]);
});

const sent = (received_at: number, channel: string, status: 'firing' | 'resolved', ...names: string[]): Page => ({
  ...page(received_at, channel),
  status,
  alerts: names.map((name) => ({ name, labels: { alertname: name, severity: 'critical' }, annotations: {}, status })),
});

test('an alert that went to several channels is one entry, which names them', () => {
  const entries = told([sent(100, 'pagerduty', 'firing', 'A'), sent(101, 'slack', 'firing', 'A')]);
  expect(entries.map(({ places, keys }) => [places, keys.length])).toEqual([[['slack', 'pagerduty'], 2]]);
});

test('a message without other labels, as those of Slack, is taken for the page with the same names', () => {
  const bare = (received_at: number, ...names: string[]): Page => ({
    ...page(received_at, 'slack'),
    alerts: names.map((name) => ({ name, labels: { alertname: name }, annotations: {}, status: 'firing' })),
  });
  const places = (...pages: Page[]) => told(pages).map((each) => each.places);
  expect(places(bare(100, 'A'), sent(101, 'pagerduty', 'firing', 'A'))).toEqual([['pagerduty', 'slack']]);
  expect(places(bare(100, 'A'), sent(101, 'pagerduty', 'firing', 'B'))).toEqual([['pagerduty'], ['slack']]);
  expect(places(bare(100, 'A'), bare(101, 'A'))).toEqual([['slack'], ['slack']]);
});

test('what still fires stays above what is newer and over', () => {
  const entries = told([
    sent(100, 'pagerduty', 'firing', 'Down'),
    sent(200, 'slack', 'firing', 'Slow'),
    sent(300, 'slack', 'resolved', 'Slow'),
    sent(400, 'slack', 'firing', 'Down'),
  ]);
  expect(entries.map(({ received_at, open }) => [received_at, open])).toEqual([
    [400, true],
    [100, true],
    [300, false],
    [200, false],
  ]);
});

test('what Prometheus says is over does not stay above', () => {
  const pages = [sent(100, 'slack', 'firing', 'Slow')];
  const open = (fires: [string, boolean][]) => told(pages, new Map(fires))[0]!.open;
  expect([open([]), open([['Slow', true]]), open([['Slow', false]])]).toEqual([true, true, false]);
});

test('pages whose alerts could not be read are not taken for each other', () => {
  expect(told([page(100), page(101, 'pagerduty')])).toHaveLength(2);
});
