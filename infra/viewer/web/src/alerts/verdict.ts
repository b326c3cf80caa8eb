// Answers in one sentence whether anything is wrong.
import type { Watchdog } from '../pager';
import { countBy, gravest, type Row, severitiesOf } from './rules';

export interface Verdict {
  level: 'good' | 'warning' | 'bad' | 'unknown';
  title: string;
  detail?: string;
  /** The rule whose runbook to read first. */
  first?: Row;
}

interface Known {
  rows?: Row[];
  /** Prometheus did not answer the last request. */
  rulesOld: boolean;
  watchdog?: Watchdog;
  /** The pager did not answer the last request. */
  watchdogOld: boolean;
}

export function verdict({ rows, rulesOld, watchdog, watchdogOld }: Known): Verdict {
  if (!rows)
    return rulesOld
      ? { level: 'unknown', title: 'Unknown whether anything is wrong: Prometheus does not answer.' }
      : { level: 'unknown', title: 'Asking Prometheus …' };
  const of = (state: string) => rows.filter((row) => row.state === state);
  const firing = of('firing');
  if (rulesOld)
    return {
      level: 'unknown',
      title: 'Unknown whether anything is wrong: Prometheus does not answer.',
      detail: `When it last answered, ${firing.length === 0 ? 'no alert fired' : fire(firing, true)}.`,
      first: gravest(firing),
    };
  const silent = watchdog && !watchdogOld && !watchdog.beating;
  if (firing.length > 0)
    return {
      level: silent || firing.some((row) => row.severity === 'critical') ? 'bad' : 'warning',
      title: `${capital(fire(firing, false))}.`,
      detail: silent ? 'And no new alert would arrive: the Watchdog does not beat.' : undefined,
      first: gravest(firing),
    };
  const alerting = rows.filter((row) => row.rule.type === 'alerting');
  if (alerting.length === 0) return { level: 'bad', title: 'Nothing would fire: Prometheus has no alert rules.' };
  if (silent)
    return { level: 'bad', title: 'No alert would arrive: the Watchdog does not beat.', first: of('always')[0] };
  const broken = of('error');
  if (broken.length > 0)
    return {
      level: 'bad',
      title: `No alert fires, but ${count(broken.length, 'rule')} cannot be evaluated.`,
      detail: 'What they watch goes unnoticed.',
    };
  if (watchdogOld)
    return {
      level: 'unknown',
      title: 'No alert fires, but the pager does not answer.',
      detail: 'A page may not arrive.',
    };
  const pending = of('pending');
  if (pending.length > 0)
    return {
      level: 'warning',
      title: `No alert fires; ${count(pending.length, 'alert')} may soon.`,
      first: gravest(pending),
    };
  const waiting = of('waiting');
  if (waiting.length > 0)
    return { level: 'unknown', title: `No alert fires; ${count(waiting.length, 'rule')} not evaluated yet.` };
  if (!watchdog) return { level: 'unknown', title: 'No alert fires. Asking the pager …' };
  return {
    level: 'good',
    title: 'Nothing is wrong.',
    detail: `${count(of('inactive').length, 'alert rule')} quiet, and the Watchdog beats.`,
  };
}

function fire(firing: Row[], past: boolean): string {
  const counts = countBy(firing, (row) => row.severity);
  const parts = severitiesOf(firing).map((severity) => `${counts.get(severity)} ${severity}`);
  const verb = past ? 'fired' : firing.length === 1 ? 'fires' : 'fire';
  return `${count(firing.length, 'alert')} ${verb}${parts.length > 0 ? `: ${parts.join(', ')}` : ''}`;
}

const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
