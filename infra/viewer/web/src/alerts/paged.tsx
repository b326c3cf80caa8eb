// What the pager was sent: what still fires first, then the newest.
import { css, cx } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { Badge, Button, useStyles2 } from '@grafana/ui';
import { useMemo, useState } from 'react';
import { Link } from 'wouter';
import { dashboardLink, runbookLink } from '../links';
import { ago, clock } from '../moments';
import { type Page, told, type Told } from '../pager';
import { itWas } from './texts';

const SHOWN = 6;

interface Props {
  pages: Page[];
  fresh: Set<string>;
  fires: ReadonlyMap<string, boolean>;
  now: number;
}

/** `fresh`: the keys of those that arrived while somebody looked. `fires`: which rules fire, as far as it is known. */
export function Paged({ pages, fresh, fires, now }: Props) {
  const styles = useStyles2(getStyles);
  const [shown, setShown] = useState(SHOWN);
  const entries = useMemo(() => told(pages, fires), [pages, fires]);
  const open = entries.filter((entry) => entry.open).length;
  const first = Math.max(shown, open);
  if (pages.length === 0) return <p>The pager has no pages yet.</p>;
  return (
    <>
      <ol className={styles.list}>
        {entries.slice(0, first).map((entry) => (
          <PageEntry key={entry.keys.at(-1)} page={entry} isNew={entry.keys.some((key) => fresh.has(key))} now={now} />
        ))}
      </ol>
      {entries.length > first && (
        <Button variant="secondary" size="sm" onClick={() => setShown(first + 50)}>
          Show more: {entries.length - first} are older
        </Button>
      )}
    </>
  );
}

function PageEntry({ page, isNew, now }: { page: Told; isNew: boolean; now: number }) {
  const styles = useStyles2(getStyles);
  const when = page.received_at * 1000;
  return (
    <li className={cx(styles.page, page.open && styles.firing, isNew && styles.fresh)}>
      <div className={styles.head}>
        <Badge
          text={page.status === 'firing' && !page.open && page.alerts.length > 0 ? 'fired, over' : page.status}
          color={page.open ? 'red' : page.status === 'firing' ? 'darkgrey' : 'green'}
          icon={page.status === 'firing' ? 'exclamation-triangle' : 'check'}
        />
        {isNew && <Badge text="new" color="blue" />}
        <span>{page.places.join(', ')}</span>
        <time className={styles.when} dateTime={new Date(when).toISOString()}>
          {clock(when, now)}, {ago(when, now)}
        </time>
      </div>
      {page.alerts.length === 0 && <p>Its alerts could not be read: see what arrived, on the pager itself.</p>}
      {page.alerts.map((alert, index) => {
        const runbook = runbookLink(alert.annotations.runbook_url);
        const dashboard = dashboardLink(alert.annotations.dashboard_url, {
          from: when,
          ...(alert.status === 'resolved' && { to: when }),
        });
        return (
          <p key={index}>
            {page.alerts.length > 1 && `${alert.status}: `}
            {runbook?.startsWith('/') ? (
              <Link href={runbook} className={styles.name}>
                {alert.name}
              </Link>
            ) : (
              <strong>{alert.name}</strong>
            )}{' '}
            {alert.status === 'resolved' ? itWas(alert.annotations.summary ?? '') : alert.annotations.summary}{' '}
            {dashboard?.startsWith('/') && (
              <Link href={dashboard} className={styles.name}>
                Dashboard
              </Link>
            )}
          </p>
        );
      })}
    </li>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  list: css({ listStyle: 'none', display: 'flex', flexDirection: 'column', gap: theme.spacing(0.5) }),
  page: css({
    padding: theme.spacing(1),
    background: theme.colors.background.primary,
    borderLeft: `4px solid ${theme.colors.success.border}`,
    '& p': { margin: theme.spacing(0.5, 0, 0) },
  }),
  firing: css({ borderLeftColor: theme.colors.error.main }),
  fresh: css({ outline: `1px solid ${theme.colors.info.border}`, outlineOffset: -1 }),
  head: css({ display: 'flex', flexWrap: 'wrap', alignItems: 'center', gap: theme.spacing(0.5, 1) }),
  when: css({ marginLeft: 'auto', color: theme.colors.text.secondary, fontSize: theme.typography.bodySmall.fontSize }),
  name: css({ color: theme.colors.text.link, fontWeight: theme.typography.fontWeightMedium }),
});
