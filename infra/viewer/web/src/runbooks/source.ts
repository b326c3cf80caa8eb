// Where the runbooks page has its text and the names of metrics from.
import { metricsOf } from '../promql';
import { labelValues, type RuleGroup } from '../prometheus';

const DAY = 86_400;

export async function loadRunbooks(signal: AbortSignal): Promise<string> {
  let answer: Response;
  try {
    answer = await fetch('/api/runbooks', { signal });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Error("The viewer's server does not answer. Is `make up` running?");
  }
  if (!answer.ok) throw new Error(`The viewer's server has no runbooks: it answered ${answer.status}.`);
  return answer.text();
}

/** The names of the metrics that had a sample in the last day. */
export function loadMetrics(): Promise<string[]> {
  const now = Date.now() / 1000;
  return labelValues('__name__', undefined, now - DAY, now);
}

/** Those names, and those that rules ask for: a counter has no sample before the first event. */
export function knownMetrics(names: string[] | undefined, groups: RuleGroup[] | undefined): Set<string> {
  const asked = (groups ?? []).flatMap((group) => group.rules).flatMap((rule) => [...(metricsOf(rule.query) ?? [])]);
  return new Set([...(names ?? []), ...asked]);
}
