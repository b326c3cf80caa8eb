// A rule that asks for somebody: what is wrong, since when, and what to do.
import { css, cx } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { useStyles2 } from '@grafana/ui';
import { Link } from 'wouter';
import { LabelList } from '../labels';
import { dashboardLink, exploreLink, runbookLink } from '../links';
import { LocalButton } from '../local_link';
import { clock, duration } from '../moments';
import { type Row, shownLabels, since } from './rules';
import { SeverityBadge, StateBadge } from './state_badge';
import { valueText, wouldSay } from './texts';

export function LoudRule({ row, now }: { row: Row; now: number }) {
  const styles = useStyles2(getStyles);
  const { rule, alerts, state, severity } = row;
  const runbook = runbookLink(alerts[0]?.annotations.runbook_url ?? rule.annotations?.runbook_url);
  const dashboard = dashboardLink(
    alerts[0]?.annotations.dashboard_url ?? rule.annotations?.dashboard_url,
    alerts[0] && { from: since(alerts[0]) },
  );
  const tone = state === 'firing' && severity !== 'critical' ? 'pending' : state;
  return (
    <article className={cx(styles.card, styles[tone as keyof typeof styles])}>
      <header className={styles.head}>
        <h3 className={styles.name}>{rule.name}</h3>
        <StateBadge state={state} />
        <SeverityBadge severity={severity} />
        <span className={styles.actions}>
          {runbook && (
            <LocalButton href={runbook} icon="book-open" variant={state === 'firing' ? 'primary' : 'secondary'}>
              Runbook
            </LocalButton>
          )}
          {dashboard && (
            <LocalButton href={dashboard} icon="apps">
              Dashboard
            </LocalButton>
          )}
        </span>
      </header>
      {rule.health === 'err' && (
        <p className={styles.problem}>Cannot be evaluated: {rule.lastError || 'no reason given'}</p>
      )}
      {alerts.length === 0 && <p>{wouldSay(rule)}</p>}
      {alerts.map((alert) => (
        <section key={JSON.stringify(alert.labels)} className={styles.alert}>
          <p className={styles.summary}>{alert.annotations.summary}</p>
          {alert.annotations.description && <p>{alert.annotations.description}</p>}
          <p className={styles.small}>
            {alert.state === 'pending' ? 'Pending' : 'Active'} for {duration(now - since(alert))}, since{' '}
            {clock(since(alert), now)}. Value {valueText(alert.value)}.
          </p>
          <LabelList labels={shownLabels(alert.labels)} />
        </section>
      ))}
      <Link href={exploreLink([rule.query])} className={styles.query} title="Explore this expression">
        {rule.query.trim()}
      </Link>
    </article>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  card: css({
    padding: theme.spacing(1.5, 2),
    background: theme.colors.background.primary,
    border: `1px solid ${theme.colors.border.weak}`,
    borderLeft: `4px solid ${theme.colors.border.strong}`,
    borderRadius: theme.shape.radius.default,
    '& p': { margin: theme.spacing(0.5, 0) },
  }),
  firing: css({ borderLeftColor: theme.colors.error.main }),
  error: css({ borderLeftColor: theme.colors.error.main }),
  pending: css({ borderLeftColor: theme.colors.warning.main }),
  waiting: css({ borderLeftColor: theme.visualization.getColorByName('purple') }),
  head: css({ display: 'flex', flexWrap: 'wrap', alignItems: 'center', gap: theme.spacing(1) }),
  name: css({ fontSize: theme.typography.h4.fontSize, margin: 0 }),
  actions: css({ display: 'flex', gap: theme.spacing(1), marginLeft: 'auto' }),
  alert: css({ '& + &': { borderTop: `1px solid ${theme.colors.border.weak}`, marginTop: theme.spacing(1) } }),
  summary: css({ fontSize: theme.typography.h5.fontSize, fontWeight: theme.typography.fontWeightMedium }),
  query: css({
    display: 'block',
    marginTop: theme.spacing(1),
    color: theme.colors.text.link,
    fontFamily: theme.typography.fontFamilyMonospace,
    fontSize: theme.typography.bodySmall.fontSize,
  }),
  problem: css({ color: theme.colors.error.text }),
  small: css({ color: theme.colors.text.secondary, fontSize: theme.typography.bodySmall.fontSize }),
});
