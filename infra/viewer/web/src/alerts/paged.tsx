// What the pager was sent, newest first.
import { css, cx } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { Badge, Button, useStyles2 } from '@grafana/ui';
import { useState } from 'react';
import { Link } from 'wouter';
import { dashboardLink, runbookLink } from '../links';
import { ago, clock } from '../moments';
import { type Page, pageKey } from '../pager';

const SHOWN = 6;

/** `fresh`: the keys of those that arrived while somebody looked. */
export function Paged({ pages, fresh, now }: { pages: Page[]; fresh: Set<string>; now: number }) {
  const styles = useStyles2(getStyles);
  const [shown, setShown] = useState(SHOWN);
  if (pages.length === 0) return <p>The pager has no pages yet.</p>;
  return (
    <>
      <ol className={styles.list}>
        {pages.slice(0, shown).map((page) => (
          <PageEntry key={pageKey(page)} page={page} isNew={fresh.has(pageKey(page))} now={now} />
        ))}
      </ol>
      {pages.length > shown && (
        <Button variant="secondary" size="sm" onClick={() => setShown(shown + 50)}>
          Show more: {pages.length - shown} are older
        </Button>
      )}
    </>
  );
}

function PageEntry({ page, isNew, now }: { page: Page; isNew: boolean; now: number }) {
  const styles = useStyles2(getStyles);
  const when = page.received_at * 1000;
  return (
    <li className={cx(styles.page, page.status === 'firing' && styles.firing, isNew && styles.fresh)}>
      <div className={styles.head}>
        <Badge
          text={page.status}
          color={page.status === 'firing' ? 'red' : 'green'}
          icon={page.status === 'firing' ? 'exclamation-triangle' : 'check'}
        />
        {isNew && <Badge text="new" color="blue" />}
        <span>{page.channel === page.receiver ? page.channel : `${page.channel} to ${page.receiver}`}</span>
        <time className={styles.when} dateTime={new Date(when).toISOString()}>
          {clock(when, now)}, {ago(when, now)}
        </time>
      </div>
      {page.alerts.length === 0 && <p>Its alerts could not be read: see what arrived, on the pager itself.</p>}
      {page.alerts.map((alert, index) => {
        const runbook = runbookLink(alert.annotations.runbook_url);
        const dashboard = dashboardLink(alert.annotations.dashboard_url);
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
            {alert.annotations.summary}{' '}
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
