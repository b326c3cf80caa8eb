// The files of the dashboards, and their list. It is light: the first file is asked for while the components load.
import type { First } from './early';
import type { Dashboard, Listed } from './model';

export interface Loaded {
  dashboard?: Dashboard;
  boards: Listed[];
  problem?: string;
  /** What was asked before it could be drawn. */
  first?: First;
}

/** The uid in an address, '' for the first dashboard, or undefined if it is another page. */
export function uidIn(path: string): string | undefined {
  if (path === '/') return '';
  const found = path.match(/^\/d\/([^/]+)/)?.[1];
  return found && decodeURIComponent(found);
}

async function ask(uid: string): Promise<Loaded> {
  const list = fetch('/api/dashboards').then((answer) => answer.json() as Promise<Listed[]>);
  const wanted = uid || (await list)[0]?.uid;
  if (!wanted) return { boards: [], problem: 'There is no dashboard in infra/grafana/dashboards.' };
  const answer = await fetch(`/api/dashboards/${encodeURIComponent(wanted)}`);
  if (!answer.ok) return { boards: await list, problem: `There is no dashboard '${wanted}'.` };
  const dashboard = (await answer.json()) as Dashboard;
  return { boards: await list, dashboard: { ...dashboard, uid: dashboard.uid || wanted } };
}

let prepared: { uid: string; loaded: Loaded } | undefined;

/** Loads the first dashboard before anything can draw it, and asks what it shows. */
export async function prepare(uid: string, askedEarly: (dashboard: Dashboard) => Promise<First>): Promise<void> {
  const loaded = await load(uid);
  // What is wrong with a dashboard is told where it is drawn.
  const first = loaded.dashboard && (await askedEarly(loaded.dashboard).catch(() => undefined));
  prepared = { uid, loaded: { ...loaded, ...(first && { first }) } };
}

/** The dashboard that was prepared, once: what was asked for it is old soon. */
export function takePrepared(uid: string): Loaded | undefined {
  const taken = prepared?.uid === uid ? prepared.loaded : undefined;
  prepared = undefined;
  return taken;
}

/** A dashboard and the list of all. Never raises: what went wrong is in a sentence. */
export function load(uid: string): Promise<Loaded> {
  return ask(uid).catch(() => ({ boards: [], problem: "The viewer's server does not answer. Is `make up` running?" }));
}
