// Says at the head of a runbook whether its alert fires now.
import { Badge, type BadgeColor } from '@grafana/ui';
import type { IconName } from '@grafana/data';
import { Link } from 'wouter';
import { duration } from '../moments';
import type { Now } from './now';

const LOOKS: Record<Now['state'], { text: string; color: BadgeColor; icon: IconName }> = {
  firing: { text: 'Fires now', color: 'red', icon: 'exclamation-triangle' },
  pending: { text: 'Pending', color: 'orange', icon: 'clock-nine' },
  always: { text: 'Fires, as it always should', color: 'green', icon: 'heart' },
  error: { text: 'Its rule cannot be evaluated', color: 'red', icon: 'exclamation-circle' },
  waiting: { text: 'Its rule is not evaluated yet', color: 'purple', icon: 'question-circle' },
  inactive: { text: 'Does not fire now', color: 'green', icon: 'check' },
};

/** `old`: Prometheus does not answer. */
export function NowBadge({ name, state, old, now }: { name: string; state?: Now; old: boolean; now: number }) {
  if (old) return <Badge text="Unknown whether it fires now" color="purple" icon="question-circle" />;
  if (!state) return null;
  const look = LOOKS[state.state];
  const active = state.state === 'firing' || state.state === 'pending';
  const text = active && state.since !== undefined ? `${look.text}, for ${duration(now - state.since)}` : look.text;
  const badge = <Badge {...look} text={text} />;
  return active || state.state === 'error' ? (
    <Link href={`/alerts?q=${encodeURIComponent(name)}`}>{badge}</Link>
  ) : (
    badge
  );
}
