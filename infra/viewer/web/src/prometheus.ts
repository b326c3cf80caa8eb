// Asks Prometheus, through the viewer's own server, which passes on what only reads.
import { answered, unanswered } from './reach';

export type Labels = Record<string, string>;
/** A time in seconds and a value as Prometheus writes it: '1', 'NaN', '+Inf'. */
export type Sample = [number, string];
export interface Series {
  metric: Labels;
  values: Sample[];
  /** Of native histograms, in place of values. */
  histograms?: unknown[];
}
export interface Rule {
  type: 'alerting' | 'recording';
  name: string;
  query: string;
  health: string;
  lastError?: string;
  lastEvaluation: string;
  // Of alerting rules only.
  state?: 'inactive' | 'pending' | 'firing';
  duration?: number;
  keepFiringFor?: number;
  labels?: Labels;
  annotations?: Labels;
  alerts?: Alert[];
}
export interface Alert {
  state: 'pending' | 'firing';
  activeAt: string;
  value: string;
  labels: Labels;
  annotations: Labels;
}
export interface RuleGroup {
  name: string;
  file: string;
  interval: number;
  rules: Rule[];
}

/** What went wrong, in a sentence that can be shown. */
export class QueryError extends Error {}
/** Nothing is wrong with the question: nobody answers. */
export class Unavailable extends QueryError {}

// Prometheus takes these as forms, which may be longer than an address.
const FORMS = new Set(['query', 'query_range', 'series']);

/** What is asked: an endpoint of Prometheus and its parameters. */
export interface Request {
  path: string;
  parameters: Record<string, string>;
}

const ahead = new Map<string, Promise<unknown>>();

/** Asks now what will be asked again in the same words: the first who does gets this answer. */
export function askAhead({ path, parameters }: Request): void {
  const key = JSON.stringify([path, parameters]);
  if (ahead.has(key)) return;
  const answer = asked(path, parameters);
  answer.catch(() => undefined); // it is told to whoever asks again
  ahead.set(key, answer);
}

async function get<T>(path: string, parameters: Record<string, string>, signal?: AbortSignal): Promise<T> {
  const key = JSON.stringify([path, parameters]);
  const early = ahead.get(key);
  ahead.delete(key);
  const data = await (early ?? asked(path, parameters, signal));
  signal?.throwIfAborted();
  return data as T;
}

async function asked(path: string, parameters: Record<string, string>, signal?: AbortSignal): Promise<unknown> {
  const url = `/api/prometheus/api/v1/${path}`;
  const form = new URLSearchParams(parameters);
  let answer: Response;
  try {
    answer = await (FORMS.has(path)
      ? fetch(url, { method: 'POST', body: form, signal })
      : fetch(form.size > 0 ? `${url}?${form}` : url, { signal }));
  } catch (error) {
    if (signal?.aborted) throw error;
    throw unavailable("The viewer's server does not answer. Is `make up` running?");
  }
  const body = await answer.json().catch(() => undefined);
  if (signal?.aborted) throw signal.reason;
  const text = body?.error ?? `The answer was ${answer.status} ${answer.statusText}`.trim();
  if (!body || body.errorType === 'unavailable') throw unavailable(text);
  answered();
  if (body.status !== 'success') throw new QueryError(text);
  return body.data;
}

function unavailable(text: string): Unavailable {
  unanswered(text);
  return new Unavailable(text);
}

/** An expression between two times, in seconds. */
export function rangeRequest(query: string, from: number, to: number, step: number): Request {
  return { path: 'query_range', parameters: { query, start: String(from), end: String(to), step: String(step) } };
}

/** An expression at a time, in seconds. */
export function instantRequest(query: string, time: number): Request {
  return { path: 'query', parameters: { query, time: String(time) } };
}

/** The series of an expression between two times, in seconds. */
export async function queryRange(
  query: string,
  from: number,
  to: number,
  step: number,
  signal?: AbortSignal,
): Promise<Series[]> {
  const { path, parameters } = rangeRequest(query, from, to, step);
  const { result } = await get<{ result: Series[] }>(path, parameters, signal);
  return result.map((each) => ({ ...each, values: each.values ?? [] }));
}

/** The value of an expression at a time, in seconds. A scalar is one series without labels. */
export async function queryInstant(query: string, time: number, signal?: AbortSignal): Promise<Series[]> {
  type Answer =
    | { resultType: 'vector'; result: { metric: Labels; value?: Sample; histogram?: unknown }[] }
    | { resultType: 'matrix'; result: Series[] }
    | { resultType: 'scalar' | 'string'; result: Sample };
  const { path, parameters } = instantRequest(query, time);
  const answer = await get<Answer>(path, parameters, signal);
  if (answer.resultType === 'vector')
    return answer.result.map(({ metric, value, histogram }) => ({
      metric,
      values: value ? [value] : [],
      ...(histogram !== undefined && { histograms: [histogram] }),
    }));
  if (answer.resultType === 'matrix') return answer.result;
  return [{ metric: {}, values: [answer.result] }];
}

/** The values of a label, of the series that the selector chooses, or of all. */
export function labelValues(label: string, selector: string | undefined, from: number, to: number): Promise<string[]> {
  const parameters = { ...(selector && { 'match[]': selector }), start: String(from), end: String(to) };
  return get<string[]>(`label/${encodeURIComponent(label)}/values`, parameters);
}

/** The series that a selector chooses, as their labels. */
export function series(selector: string, from: number, to: number): Promise<Labels[]> {
  return get<Labels[]>('series', { 'match[]': selector, start: String(from), end: String(to) });
}

/** The names of all labels, of the series that the selector chooses, or of all. */
export function labelNames(selector: string | undefined, from: number, to: number): Promise<string[]> {
  return get<string[]>('labels', { ...(selector && { 'match[]': selector }), start: String(from), end: String(to) });
}

/** Every rule, by group, with the alerts that are active. */
export async function ruleGroups(signal?: AbortSignal): Promise<RuleGroup[]> {
  return (await get<{ groups: RuleGroup[] }>('rules', {}, signal)).groups;
}
