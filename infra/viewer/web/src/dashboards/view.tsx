// A dashboard: what its address chooses, its panels, and what they share.
import { EventBusSrv } from '@grafana/data';
import { Alert } from '@grafana/ui';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useLocation, useSearch } from 'wouter';
import { useOutage } from '../reach';
import { rangeOf } from '../time';
import { Controls } from './controls';
import { type Shown, ShownContext } from './context';
import { loadDrawers } from './draw';
import { type First, spanIn, timeZoneOf } from './early';
import { Grid } from './grid';
import { builtIn, firstOf } from './interpolation';
import { GAP } from './layout';
import type { Dashboard, Listed } from './model';
import { timeText } from './panels/tooltip';
import { useRounds } from './refresh';
import { useAnnotations, useVariables } from './use_answers';
import { chosenIn, lookupIn } from './variables';

interface Props {
  dashboard: Dashboard;
  boards: Listed[];
  /** What was asked for it already. */
  first?: First | undefined;
}

export function DashboardView({ dashboard, boards, first }: Props) {
  const [path, navigate] = useLocation();
  const search = useSearch();
  const address = useMemo(() => new URLSearchParams(search), [search]);
  const { from, to } = spanIn(address, dashboard);
  const span = useMemo(() => ({ from, to }), [from, to]);
  const refresh = address.get('refresh') ?? (typeof dashboard.refresh === 'string' ? dashboard.refresh : '');
  const [timeZone, setTimeZone] = useState(timeZoneOf(dashboard));
  const [round, refreshNow] = useRounds(refresh);
  const early = useRef(first?.range);
  // A relative range is another one at each refresh.
  const range = useMemo(() => {
    const before = early.current;
    early.current = undefined;
    return before ?? rangeOf(span, timeZone);
  }, [span, timeZone, round]);
  const own = useMemo(() => builtIn(dashboard.title, dashboard.uid, range), [dashboard, range]);

  const change = useCallback(
    (write: (to: URLSearchParams) => void, replace = false) => {
      const next = new URLSearchParams(window.location.search);
      write(next);
      const query = next.toString();
      navigate(query ? `${path}?${query}` : path, { replace });
    },
    [navigate, path],
  );

  const chosen = useMemo(() => chosenIn(address), [address]);
  const variables = useVariables(dashboard, chosen, range, round, own, first?.variables);
  const lookup = useMemo(() => firstOf(variables && lookupIn(variables), own), [variables, own]);
  const selection = JSON.stringify(variables?.map(({ selected, options }) => [selected, options.length]));
  const annotations = useAnnotations(dashboard, range, round, lookup, selection);
  const [bus] = useState(() => new EventBusSrv());
  useState(() => loadDrawers(dashboard.panels ?? []));

  useEffect(() => {
    document.title = `${dashboard.title} - Viewer`;
  }, [dashboard]);

  const shown = useMemo(
    (): Shown => ({
      dashboard,
      span,
      range,
      timeZone,
      round,
      variables: variables ?? [],
      lookup,
      selection,
      annotations,
      bus,
      setSpan: (next) =>
        change((query) => {
          query.set('from', next.from);
          query.set('to', next.to);
        }),
      goTo: (to) => navigate(to),
      view: (panel) => change((query) => (panel ? query.set('viewPanel', panel) : query.delete('viewPanel'))),
    }),
    [dashboard, span, range, timeZone, round, variables, lookup, selection, annotations, bus, change, navigate],
  );

  return (
    <ShownContext.Provider value={shown}>
      <Controls
        boards={boards}
        refresh={refresh}
        loading={false}
        onRefresh={refreshNow}
        onRefreshInterval={(interval) => change((query) => query.set('refresh', interval), true)}
        onTimeZone={setTimeZone}
        onSelect={(name, values) =>
          change((query) => {
            query.delete(`var-${name}`);
            for (const value of values) query.append(`var-${name}`, value);
          })
        }
      />
      <OutageBanner timeZone={timeZone} />
      <div style={{ padding: GAP }}>
        {variables && <Grid boards={boards} only={address.get('viewPanel') ?? undefined} />}
      </div>
    </ShownContext.Provider>
  );
}

function OutageBanner({ timeZone }: { timeZone: string }) {
  const outage = useOutage();
  if (!outage) return null;
  return (
    <div style={{ padding: '8px 8px 0 8px' }}>
      <Alert
        severity="error"
        title={`Prometheus does not answer since ${timeText(outage.since - (outage.since % 1000), timeZone)}: what is drawn is from before.`}
      >
        {outage.text}
      </Alert>
    </div>
  );
}
