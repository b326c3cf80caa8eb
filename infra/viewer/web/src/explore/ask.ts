// Asks the queries of Explore: over time for the graph, and at its end for the table.
import { QueryError, queryInstant, queryRange, type Series, Unavailable } from '../prometheus';

export interface Answer {
  expression: string;
  /** Over time, and at the end. */
  range: Series[];
  instant: Series[];
  /** What Prometheus says is wrong with the query. */
  error?: string;
}

/** Every expression, each with its own errors. Raises only if nobody answers. `from`, `to`, `step` in seconds. */
export function askAll(
  expressions: string[],
  from: number,
  to: number,
  step: number,
  signal: AbortSignal,
): Promise<Answer[]> {
  return Promise.all(
    expressions.map(async (expression) => {
      const [range, instant] = await Promise.all([
        orError(queryRange(expression, from, to, step, signal)),
        orError(queryInstant(expression, to, signal)),
      ]);
      return { expression, range: range.series, instant: instant.series, error: range.error ?? instant.error };
    }),
  );
}

async function orError(asked: Promise<Series[]>): Promise<{ series: Series[]; error?: string }> {
  try {
    return { series: await asked };
  } catch (error) {
    if (error instanceof QueryError && !(error instanceof Unavailable)) return { series: [], error: error.message };
    throw error;
  }
}
