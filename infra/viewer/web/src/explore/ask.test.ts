import { afterEach, expect, test, vi } from 'vitest';
import { Unavailable } from '../prometheus';
import { askAll } from './ask';

afterEach(() => vi.unstubAllGlobals());

/** A server that answers each path in its way. */
function serve(answers: Record<'query' | 'query_range', () => Response>): void {
  vi.stubGlobal('fetch', async (url: string) => answers[url.split('/').at(-1)!.split('?')[0] as 'query']());
}
const wrong = (errorType: string, error: string, status: number) => () =>
  Response.json({ status: 'error', errorType, error }, { status });
const found = (resultType: string, result: unknown) => () =>
  Response.json({ status: 'success', data: { resultType, result } });

const ask = () => askAll(['up[1m]'], 0, 60, 5, new AbortController().signal);

test('a query that has a value now and none over time has both, the value and the error', async () => {
  const values = [[60, '1']];
  serve({
    query_range: wrong('bad_data', 'invalid expression type "range vector"', 400),
    query: found('matrix', [{ metric: { job: 'a' }, values }]),
  });
  expect(await ask()).toEqual([
    {
      expression: 'up[1m]',
      range: [],
      instant: [{ metric: { job: 'a' }, values }],
      error: 'invalid expression type "range vector"',
    },
  ]);
});

test('an answer without errors has none', async () => {
  serve({ query_range: found('matrix', []), query: found('vector', []) });
  expect(await ask()).toEqual([{ expression: 'up[1m]', range: [], instant: [], error: undefined }]);
});

test('that nobody answers is no fault of the query', async () => {
  const away = wrong('unavailable', 'Prometheus does not answer.', 502);
  serve({ query_range: away, query: away });
  await expect(ask()).rejects.toThrow(Unavailable);
});
