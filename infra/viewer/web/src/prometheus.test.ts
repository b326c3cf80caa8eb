import { afterEach, beforeEach, expect, test } from 'vitest';
import { askAhead, instantRequest, queryInstant, QueryError } from './prometheus';

const real = globalThis.fetch;
let asked: string[] = [];
let status = 'success';

beforeEach(() => {
  asked = [];
  status = 'success';
  globalThis.fetch = (_, init) => {
    asked.push(String(init?.body));
    const data = { resultType: 'scalar', result: [1, String(asked.length)] };
    return Promise.resolve(new Response(JSON.stringify({ status, data, error: 'parse error' })));
  };
});
afterEach(() => {
  globalThis.fetch = real;
});

const value = async (query: string, signal?: AbortSignal) => (await queryInstant(query, 1, signal))[0]?.values[0]?.[1];

test('what was asked ahead is the answer to the first who asks the same, and to nobody else', async () => {
  askAhead(instantRequest('up', 1));
  askAhead(instantRequest('up', 1));

  expect(await value('down')).toBe('2');
  expect(await value('up')).toBe('1');
  expect(await value('up')).toBe('3');
  expect(asked).toEqual(['query=up&time=1', 'query=down&time=1', 'query=up&time=1']);
});

test('what went wrong ahead is told to who asks, and who gave up gets nothing', async () => {
  status = 'error';
  askAhead(instantRequest('up', 1));
  await expect(value('up')).rejects.toEqual(new QueryError('parse error'));

  status = 'success';
  askAhead(instantRequest('up', 1));
  await expect(value('up', AbortSignal.abort())).rejects.toThrow('aborted');
});
