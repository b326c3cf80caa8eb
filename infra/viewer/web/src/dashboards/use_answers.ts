// What Prometheus says for all panels of a dashboard: what its variables can be, and which alerts fired.
import { useEffect, useMemo, useRef, useState } from 'react';
import { askAnnotations, drawn, type AlertRegion } from './annotations';
import { Asking } from './asking';
import type { Shown } from './context';
import type { Dashboard } from './model';
import { resolve, select, type Variable } from './variables';

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/** The variables with their options, or undefined until they are known for the first time. */
export function useVariables(
  dashboard: Dashboard,
  chosen: Record<string, string[]>,
  range: Shown['range'],
  round: number,
  own: Shown['lookup'],
  first: Variable[] | undefined,
): Variable[] | undefined {
  const definitions = useMemo(() => dashboard.templating?.list ?? [], [dashboard]);
  const [variables, setVariables] = useState(definitions.length === 0 ? [] : first);
  const [asking] = useState(() => new Asking());
  const latest = useRef({ variables, range, own });
  latest.current = { variables, range, own };
  const span = JSON.stringify(range.raw);
  const known = useRef(first !== undefined);
  useEffect(() => {
    if (definitions.length === 0) return;
    if (known.current) {
      known.current = false;
      return;
    }
    const { range, own, variables: before } = latest.current;
    asking.start(
      JSON.stringify([chosen, span]),
      () => resolve(definitions, chosen, range, own, before),
      (outcome) => {
        if ('value' in outcome) setVariables((known) => (same(known, outcome.value) ? known : outcome.value));
      },
    );
  }, [definitions, chosen, span, round, asking]);
  useEffect(() => () => asking.stop(), [asking]);
  // A selection is there at once, not when Prometheus has said what else there is.
  return useMemo(
    () =>
      variables?.map((variable) => ({
        ...variable,
        selected: select(variable.definition, variable.options, chosen[variable.definition.name]),
      })),
    [variables, chosen],
  );
}

export function useAnnotations(
  dashboard: Dashboard,
  range: Shown['range'],
  round: number,
  lookup: Shown['lookup'],
  selection: string,
): AlertRegion[] {
  const [regions, setRegions] = useState<AlertRegion[]>([]);
  const [asking] = useState(() => new Asking());
  const definitions = useMemo(() => drawn(dashboard.annotations?.list), [dashboard]);
  const latest = useRef({ range, lookup });
  latest.current = { range, lookup };
  const span = JSON.stringify(range.raw);
  useEffect(() => {
    if (definitions.length === 0) return;
    const { range, lookup } = latest.current;
    asking.start(
      JSON.stringify([selection, span]),
      (signal) => askAnnotations(definitions, range, lookup, signal),
      (outcome) => {
        // What is wrong with Prometheus is in the banner.
        if ('value' in outcome) setRegions((known) => (same(known, outcome.value) ? known : outcome.value));
      },
    );
  }, [definitions, round, selection, span, asking]);
  useEffect(() => () => asking.stop(), [asking]);
  return regions;
}
