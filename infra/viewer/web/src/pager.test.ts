import { expect, test } from 'vitest';
import { PageLog, type Page } from './pager';

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
