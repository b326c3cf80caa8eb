// Whether the alert of a runbook fires now.
import { firesAlways } from '../alerts/rules';
import type { Alert, Rule, RuleGroup } from '../prometheus';

export interface Now {
  state: 'firing' | 'always' | 'pending' | 'inactive' | 'error' | 'waiting';
  /** When the oldest of its alerts became active, in milliseconds. */
  since?: number;
}

/** The state of each alert, by its name in lower case. Several rules may have the same name: the worst counts. */
export function nowByAlert(groups: RuleGroup[]): Map<string, Now> {
  const states = new Map<string, Now>();
  const rules = groups.flatMap((group) => group.rules).filter((rule) => rule.type === 'alerting');
  for (const [name, all] of group(rules, (rule) => rule.name.toLowerCase())) {
    const alerts = (state: Alert['state']) =>
      all.flatMap((rule) => rule.alerts ?? []).filter((alert) => alert.state === state);
    const active = (['firing', 'pending'] as const).find((state) => alerts(state).length > 0);
    if (active) {
      const since = Math.min(...alerts(active).map((alert) => Date.parse(alert.activeAt)));
      const always = active === 'firing' && all.every(firesAlways);
      states.set(name, { state: always ? 'always' : active, since });
    } else if (all.some((rule) => rule.health === 'err')) states.set(name, { state: 'error' });
    else states.set(name, { state: all.some((rule) => rule.health === 'unknown') ? 'waiting' : 'inactive' });
  }
  return states;
}

function group(rules: Rule[], key: (rule: Rule) => string): Map<string, Rule[]> {
  const groups = new Map<string, Rule[]>();
  for (const rule of rules) groups.set(key(rule), [...(groups.get(key(rule)) ?? []), rule]);
  return groups;
}
