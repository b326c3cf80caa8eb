// The rules that the filter leaves: those that ask for somebody, the others by group, and last those that only record.
import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { useStyles2 } from '@grafana/ui';
import { LoudRule } from './loud_rule';
import { QuietRule } from './quiet_rule';
import { byGroup, isLoud, type Row } from './rules';

export function LoudRules({ rows, now }: { rows: Row[]; now: number }) {
  return rows.filter(isLoud).map((row) => <LoudRule key={row.key} row={row} now={now} />);
}

export function QuietRules({ rows, now }: { rows: Row[]; now: number }) {
  const styles = useStyles2(getStyles);
  return [...byGroup(rows.filter((row) => !isLoud(row) && row.state !== 'recording'))].map(([name, members]) => (
    <section key={name}>
      <h3 className={styles.group}>
        Group {name} <span className={styles.count}>{members.length}</span>
      </h3>
      {members.map((row) => (
        <QuietRule key={row.key} row={row} now={now} />
      ))}
    </section>
  ));
}

/** Rules that are no alerts: closed, unless somebody asks for them. */
export function RecordingRules({ rows, asked, now }: { rows: Row[]; asked: boolean; now: number }) {
  const styles = useStyles2(getStyles);
  const members = rows.filter((row) => row.state === 'recording');
  if (members.length === 0) return null;
  return (
    <details key={String(asked)} open={asked}>
      <summary className={styles.group}>
        Recording rules: what alerts are made from <span className={styles.count}>{members.length}</span>
      </summary>
      {members.map((row) => (
        <QuietRule key={row.key} row={row} now={now} />
      ))}
    </details>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  group: css({ fontSize: theme.typography.h5.fontSize, margin: theme.spacing(0, 0, 0.5) }),
  count: css({ color: theme.colors.text.secondary, fontWeight: theme.typography.fontWeightRegular }),
});
