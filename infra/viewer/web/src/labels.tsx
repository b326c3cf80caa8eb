// The labels of a series or an alert.
import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { useStyles2 } from '@grafana/ui';

export function LabelList({ labels }: { labels: [string, string][] }) {
  const styles = useStyles2(getStyles);
  if (labels.length === 0) return null;
  return (
    <ul className={styles.labels} aria-label="Labels">
      {labels.map(([name, value]) => (
        <li key={name} className={styles.label}>
          <span className={styles.name}>{name}</span> {value}
        </li>
      ))}
    </ul>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  labels: css({ display: 'flex', flexWrap: 'wrap', gap: theme.spacing(0.5), listStyle: 'none' }),
  label: css({
    padding: theme.spacing(0, 0.75),
    border: `1px solid ${theme.colors.border.weak}`,
    borderRadius: theme.shape.radius.default,
    background: theme.colors.background.secondary,
    fontSize: theme.typography.bodySmall.fontSize,
  }),
  name: css({ color: theme.colors.text.secondary }),
});
