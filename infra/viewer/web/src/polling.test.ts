import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { poll, type Polled } from './polling';

class Page extends EventTarget {
  hidden = false;
  show(shown: boolean): void {
    this.hidden = !shown;
    this.dispatchEvent(new Event('visibilitychange'));
  }
}

let page: Page;
let states: Polled<number>[];
let asked: number;
let answer: () => Promise<number>;
let end: () => void;

const load = () => {
  asked += 1;
  return answer();
};

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  page = new Page();
  states = [];
  asked = 0;
  answer = () => Promise.resolve(asked);
});
afterEach(() => {
  end();
  vi.useRealTimers();
});

const start = () => {
  end = poll(load, 5000, (state) => states.push(state), page as unknown as Document);
};

test('the first request is sent at once, and the next ones after the interval', async () => {
  start();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(states).toEqual([
    { data: 1, at: 1_000_000 },
    { data: 2, at: 1_005_000 },
    { data: 3, at: 1_010_000 },
  ]);
});

test('a failure keeps the last answer and the time of the first failure, and an answer ends it', async () => {
  start();
  await vi.advanceTimersByTimeAsync(0);
  answer = () => Promise.reject(new Error('Prometheus does not answer.'));
  await vi.advanceTimersByTimeAsync(10_000);
  const failing = { data: 1, at: 1_000_000, error: 'Prometheus does not answer.', failingSince: 1_005_000 };
  expect(states.slice(1)).toEqual([failing, failing]);
  answer = () => Promise.resolve(9);
  await vi.advanceTimersByTimeAsync(5000);
  expect(states.at(-1)).toEqual({ data: 9, at: 1_015_000 });
});

test('nothing is asked while the page is hidden, and at once when it is shown again', async () => {
  start();
  await vi.advanceTimersByTimeAsync(0);
  page.show(false);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toBe(1);
  page.show(true);
  await vi.advanceTimersByTimeAsync(0);
  expect(asked).toBe(2);
});

test('an answer that comes while the page is hidden is told, and the next one is asked for when it is shown', async () => {
  let give: (value: number) => void = () => {};
  answer = () => new Promise((resolve) => (give = resolve));
  start();
  page.show(false);
  give(7);
  await vi.advanceTimersByTimeAsync(60_000);
  expect([asked, states.at(-1)?.data]).toEqual([1, 7]);
  page.show(true);
  expect(asked).toBe(2);
});

test('a request without an answer is not asked twice', async () => {
  answer = () => new Promise(() => {});
  start();
  page.show(false);
  page.show(true);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(asked).toBe(1);
});

test('nothing is told after the end', async () => {
  start();
  end();
  await vi.advanceTimersByTimeAsync(20_000);
  expect(states).toEqual([]);
  expect(asked).toBe(1);
});
