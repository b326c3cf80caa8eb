// A dashboard: what its address chooses, its panels in their places, and what they share.
import { css } from '@emotion/css';
import { EventBusSrv, type GrafanaTheme2 } from '@grafana/data';
import { Alert, Button, Icon, useStyles2 } from '@grafana/ui';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useLocation, useSearch } from 'wouter';
import { useOutage } from '../reach';
import { rangeOf } from '../time';
import { useWidth } from '../width';
import { askAnnotations, drawn, type AlertRegion } from './annotations';
import { Asking } from './asking';
import { Controls } from './controls';
import { type Shown, ShownContext, useShown } from './context';
import { type First, spanIn, timeZoneOf } from './early';
import { asText, builtIn, firstOf, interpolate } from './interpolation';
import { boxesOf, GAP, isFirst, place, type Placed } from './layout';
import type { Dashboard, Listed } from './model';
import { PanelView } from './panel';
import { Message } from './panels/message';
import { timeText } from './panels/tooltip';
import { useRounds } from './refresh';
import { chosenIn, lookupIn, resolve, select, type Variable } from './variables';

interface Props {
  dashboard: Dashboard;
  boards: Listed[];
  /** What was asked for it already. */
  first?: First | undefined;
}

export function DashboardView({ dashboard, boards, first }: Props) {
  const [path, navigate] = useLocation();
  const search = useSearch();
  const styles = useStyles2(getStyles);
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
      <div className={styles.panels}>
        {variables && <Panels boards={boards} only={address.get('viewPanel') ?? undefined} />}
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

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/** The variables with their options, or undefined until they are known for the first time. */
function useVariables(
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

function useAnnotations(
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

function Panels({ boards, only }: { boards: Listed[]; only: string | undefined }) {
  const { dashboard, variables, view } = useShown();
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());
  const [frame, width] = useWidth();
  const placed = useMemo(() => place(dashboard.panels ?? [], variables, toggled), [dashboard, variables, toggled]);
  const alone = only ? placed.find(({ key }) => key === only || key === `panel-${only}`) : undefined;
  const toggle = (key: string) =>
    setToggled((before) => new Set(before.has(key) ? [...before].filter((each) => each !== key) : [...before, key]));

  useEffect(() => {
    if (!alone) return;
    const leave = (event: KeyboardEvent) => event.key === 'Escape' && !event.defaultPrevented && view(undefined);
    document.addEventListener('keydown', leave);
    return () => document.removeEventListener('keydown', leave);
  }, [alone, view]);

  if (dashboard.rows?.length && !dashboard.panels?.length)
    return (
      <Message>
        This dashboard is of a schema before 2017 (rows in place of panels), which this viewer does not draw.
      </Message>
    );
  const boxes = alone ? [] : boxesOf(placed, width);
  const bottom = Math.max(0, ...boxes.map(({ top, height }) => top + height));
  return (
    <div ref={frame} style={{ position: 'relative', height: alone ? undefined : bottom }}>
      {width > 0 && alone && (
        <>
          <Button
            variant="secondary"
            size="sm"
            icon="arrow-left"
            onClick={() => view(undefined)}
            style={{ marginBottom: 8 }}
          >
            All panels
          </Button>
          <PanelView
            placed={alone}
            boards={boards}
            width={width}
            height={Math.max(300, window.innerHeight - 220)}
            first
          />
        </>
      )}
      {width > 0 &&
        boxes.map(({ placed: each, left, top, width: wide, height }) => (
          <div key={each.key} style={{ position: 'absolute', left, top, width: wide, height }}>
            {each.panel.type === 'row' ? (
              <RowTitle placed={each} onToggle={() => toggle(each.key)} />
            ) : (
              <PanelView placed={each} boards={boards} width={wide} height={height} first={isFirst(top)} />
            )}
          </div>
        ))}
    </div>
  );
}

function RowTitle({ placed, onToggle }: { placed: Placed; onToggle: () => void }) {
  const { lookup } = useShown();
  const styles = useStyles2(getStyles);
  const { panel, own, open } = placed;
  return (
    <button type="button" className={styles.row} aria-expanded={open} onClick={onToggle}>
      <Icon name={open ? 'angle-down' : 'angle-right'} />
      {interpolate(panel.title ?? '', firstOf(own, lookup), asText) || 'Row'}
      {!open && <span className={styles.count}>({panel.panels?.length ?? 0} panels)</span>}
    </button>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  panels: css({ padding: GAP }),
  row: css({
    display: 'flex',
    alignItems: 'center',
    gap: theme.spacing(0.5),
    width: '100%',
    height: '100%',
    padding: 0,
    border: 'none',
    background: 'none',
    color: theme.colors.text.primary,
    fontWeight: theme.typography.fontWeightMedium,
    whiteSpace: 'nowrap',
    overflow: 'hidden',
    '&:focus-visible': { outline: `2px solid ${theme.colors.primary.main}` },
  }),
  count: css({ color: theme.colors.text.secondary, fontWeight: theme.typography.fontWeightRegular }),
});
