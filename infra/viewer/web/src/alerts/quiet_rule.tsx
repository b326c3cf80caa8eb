// A rule that asks for nobody: one line, which opens.
import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { useStyles2 } from '@grafana/ui';
import { LabelList } from '../labels';
import { dashboardLink, exploreLink, runbookLink } from '../links';
import { LocalButton } from '../local_link';
import { ago, duration } from '../moments';
import { type Row, shownLabels, since } from './rules';
import { SeverityBadge, StateBadge } from './state_badge';
import { valueText, withoutTemplates, wouldSay } from './texts';

export function QuietRule({ row, now }: { row: Row; now: number }) {
  const styles = useStyles2(getStyles);
  const { rule, state, severity, alerts } = row;
  const annotations = alerts[0]?.annotations ?? rule.annotations ?? {};
  const runbook = runbookLink(annotations.runbook_url);
  const dashboard = dashboardLink(annotations.dashboard_url);
  const summary = alerts[0]?.annotations.summary ?? wouldSay(rule);
  const written = withoutTemplates(annotations.description ?? '');
  const description = written === summary ? '' : written;
  return (
    <details className={styles.rule}>
      <summary className={styles.head}>
        <span className={styles.name}>{rule.name}</span>
        <StateBadge state={state} />
        <SeverityBadge severity={severity} muted />
        <span className={styles.summary}>{summary}</span>
      </summary>
      <div className={styles.more}>
        {description && <p>{description}</p>}
        {alerts.map((alert) => (
          <p key={JSON.stringify(alert.labels)}>
            Active since {ago(since(alert), now)}. Value {valueText(alert.value)}.
          </p>
        ))}
        <pre className={styles.query}>{rule.query}</pre>
        {rule.type === 'alerting' && <p className={styles.small}>{times(row)}</p>}
        <LabelList labels={shownLabels(rule.labels ?? {})} />
        <span className={styles.actions}>
          {runbook && (
            <LocalButton href={runbook} icon="book-open">
              Runbook
            </LocalButton>
          )}
          {dashboard && (
            <LocalButton href={dashboard} icon="apps">
              Dashboard
            </LocalButton>
          )}
          <LocalButton href={exploreLink([rule.query])} icon="compass">
            Explore
          </LocalButton>
        </span>
      </div>
    </details>
  );
}

function times({ rule }: Row): string {
  const after = rule.duration ? `once it has held for ${duration(rule.duration * 1000)}` : 'at once';
  const keeps = rule.keepFiringFor ? `, and goes on for ${duration(rule.keepFiringFor * 1000)} after it ends` : '';
  return `Fires ${after}${keeps}.`;
}

const getStyles = (theme: GrafanaTheme2) => ({
  rule: css({
    borderTop: `1px solid ${theme.colors.border.weak}`,
    '&[open]': { background: theme.colors.background.primary },
  }),
  head: css({
    display: 'flex',
    flexWrap: 'wrap',
    alignItems: 'center',
    gap: theme.spacing(0.5, 1),
    padding: theme.spacing(0.75, 1),
    cursor: 'pointer',
    '&::before': { content: '"▸"', color: theme.colors.text.secondary, width: '1em' },
    'details[open] > &::before': { content: '"▾"' },
    '&:hover': { background: theme.colors.action.hover },
  }),
  name: css({ fontWeight: theme.typography.fontWeightMedium }),
  summary: css({ color: theme.colors.text.secondary, flexBasis: 300, flexGrow: 1 }),
  more: css({
    display: 'flex',
    flexDirection: 'column',
    gap: theme.spacing(1),
    padding: theme.spacing(0.5, 1, 1.5, 3.5),
    '& p': { margin: 0 },
  }),
  query: css({ whiteSpace: 'pre-wrap', margin: 0 }),
  small: css({ color: theme.colors.text.secondary, fontSize: theme.typography.bodySmall.fontSize }),
  actions: css({ display: 'flex', gap: theme.spacing(1) }),
});
