// Says that something does not answer, since when, and that what is shown is old.
import { Alert } from '@grafana/ui';
import { ago, clock } from './moments';
import type { Polled } from './polling';

/** Nothing, while answers come. */
export function Outage({ polled, now }: { polled: Polled<unknown>; now: number }) {
  const { error, failingSince, at } = polled;
  if (error === undefined || failingSince === undefined) return null;
  return (
    <Alert severity="error" title={error} bottomSpacing={0}>
      Since {clock(failingSince, now)}, {ago(failingSince, now)}.{' '}
      {at === undefined ? 'There is nothing to show yet.' : `What is shown below is of ${clock(at, now)}.`} This page
      keeps trying.
    </Alert>
  );
}
