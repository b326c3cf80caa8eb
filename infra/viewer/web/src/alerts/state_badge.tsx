// The state of a rule, as a word in a colour.
import type { IconName } from '@grafana/data';
import { Badge, type BadgeColor } from '@grafana/ui';
import type { State } from './rules';

export const STATE_TEXTS: Record<State, string> = {
  firing: 'Firing',
  pending: 'Pending',
  error: 'Cannot be evaluated',
  waiting: 'Not evaluated yet',
  inactive: 'Quiet',
  always: 'Fires always',
  recording: 'Recording rule',
};

const LOOKS: Record<State, { color: BadgeColor; icon?: IconName }> = {
  firing: { color: 'red', icon: 'exclamation-triangle' },
  pending: { color: 'orange', icon: 'clock-nine' },
  error: { color: 'red', icon: 'exclamation-circle' },
  waiting: { color: 'purple', icon: 'question-circle' },
  inactive: { color: 'green', icon: 'check' },
  always: { color: 'green', icon: 'heart' },
  recording: { color: 'darkgrey' },
};

export function StateBadge({ state }: { state: State }) {
  return <Badge text={STATE_TEXTS[state]} {...LOOKS[state]} />;
}

const SEVERITY_COLOURS: Record<string, BadgeColor> = { critical: 'red', warning: 'orange', info: 'blue' };

/** `muted`: of a rule that asks for nobody, red and orange would say something that is not so. */
export function SeverityBadge({ severity, muted = false }: { severity: string; muted?: boolean }) {
  const colour = muted ? undefined : SEVERITY_COLOURS[severity];
  return severity ? <Badge text={severity} color={colour ?? 'darkgrey'} /> : null;
}
