// The alerts: whether anything is wrong, what to do about it, every rule, and what the pager was sent.
import { css, cx } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { useStyles2 } from '@grafana/ui';
import { useMemo } from 'react';
import { useSearchParams } from 'wouter';
import { Body } from '../body';
import { useNow } from '../moments';
import { Outage } from '../outage';
import { PageLog, pageKey, watchdog } from '../pager';
import { usePolled } from '../polling';
import { ruleGroups } from '../prometheus';
import { Arrivals, useArrivals } from './arrivals';
import { readFilter, writeFilter } from './filter';
import { FilterBar } from './filter_bar';
import { Beat, Headline } from './headline';
import { Paged } from './paged';
import { LoudRules, QuietRules, RecordingRules } from './rule_list';
import { isLoud, matches, rows } from './rules';
import { verdict } from './verdict';

const EVERY = 5000;

export default function Alerts() {
  const styles = useStyles2(getStyles);
  const now = useNow();
  const log = useMemo(() => new PageLog(), []);
  const groups = usePolled(ruleGroups, EVERY);
  const beat = usePolled(watchdog, EVERY);
  const loadPages = useMemo(() => (signal: AbortSignal) => log.newest(signal), [log]);
  const pages = usePolled(loadPages, EVERY);
  const arrived = useArrivals(pages.data);

  const [parameters, setParameters] = useSearchParams();
  const filter = readFilter(parameters);
  const all = useMemo(() => groups.data && rows(groups.data), [groups.data]);
  const found = (all ?? []).filter((row) => matches(row, filter));
  const rulesOld = groups.error !== undefined;
  const told = verdict({ rows: all, rulesOld, watchdog: beat.data, watchdogOld: beat.error !== undefined });
  const fires = useMemo(
    () => new Map(rulesOld ? [] : (all ?? []).map(({ rule, state }) => [rule.name, state === 'firing'] as const)),
    [all, rulesOld],
  );
  const firing = all?.filter((row) => row.state === 'firing').length;

  return (
    <Body title={firing ? `(${firing}) Alerts` : 'Alerts'}>
      <Headline verdict={told} />
      <Beat watchdog={beat.data} old={beat.error !== undefined} now={now} />
      <Outage polled={groups} now={now} />
      <Outage polled={beat.error === undefined ? pages : beat} now={now} />
      {all && (
        <FilterBar
          rows={all}
          filter={filter}
          onChange={(chosen) => setParameters(writeFilter(chosen), { replace: true })}
        />
      )}
      <div className={styles.columns}>
        {(found.length === 0 || found.some(isLoud)) && (
          <section className={cx(styles.loud, rulesOld && styles.old)} aria-label="Rules that ask for somebody">
            {all && found.length === 0 && <p>The filter leaves none of the {all.length} rules.</p>}
            <LoudRules rows={found} now={now} />
          </section>
        )}
        {pages.data && (
          <section className={cx(styles.pages, pages.error !== undefined && styles.old)}>
            <h2 className={styles.title}>Last pages</h2>
            <Paged pages={pages.data} fresh={new Set(arrived.map(pageKey))} fires={fires} now={now} />
          </section>
        )}
        <section className={cx(styles.quiet, rulesOld && styles.old)} aria-label="Other rules">
          <QuietRules rows={found} now={now} />
          <RecordingRules rows={found} asked={filter.states.includes('recording') || filter.text !== ''} now={now} />
        </section>
      </div>
      <Arrivals pages={arrived} />
    </Body>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  // On a narrow screen the pages come between what is wrong and what is not.
  columns: css({
    display: 'grid',
    gap: theme.spacing(2),
    gridTemplateColumns: 'minmax(0, 1fr)',
    [theme.breakpoints.up('lg')]: {
      gridTemplateColumns: 'minmax(0, 1fr) 400px',
      gridTemplateRows: 'auto 1fr',
      gridTemplateAreas: '"loud pages" "quiet pages"',
      rowGap: 0, // there may be nothing loud
    },
  }),
  loud: css({
    display: 'flex',
    flexDirection: 'column',
    gap: theme.spacing(1),
    [theme.breakpoints.up('lg')]: { gridArea: 'loud', marginBottom: theme.spacing(2) },
  }),
  pages: css({ [theme.breakpoints.up('lg')]: { gridArea: 'pages' } }),
  quiet: css({
    display: 'flex',
    flexDirection: 'column',
    gap: theme.spacing(2),
    [theme.breakpoints.up('lg')]: { gridArea: 'quiet' },
  }),
  title: css({ fontSize: theme.typography.h4.fontSize, margin: theme.spacing(0, 0, 1) }),
  old: css({ opacity: 0.6 }),
});
