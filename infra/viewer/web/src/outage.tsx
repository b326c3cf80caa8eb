// Says that something does not answer, since when, and what that means for what is shown.
import { Alert } from '@grafana/ui';
import { ago, clock } from './moments';
import type { Polled } from './polling';

interface Props {
  polled: Polled<unknown>;
  now: number;
  /** What is unknown meanwhile, in a sentence. Without it: that what is shown is old. */
  unknown?: string;
}

/** Nothing, while answers come. */
export function Outage({ polled: { error, failingSince, at }, now, unknown }: Props) {
  if (error === undefined || failingSince === undefined) return null;
  const old = at === undefined ? 'There is nothing to show yet.' : `What is shown below is of ${clock(at, now)}.`;
  return (
    <Alert severity="error" title={error} bottomSpacing={0}>
      Since {clock(failingSince, now)}, {ago(failingSince, now)}. {unknown ?? old} This page keeps trying.
    </Alert>
  );
}
