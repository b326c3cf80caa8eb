// The answer to "is anything wrong, and what do I do?", at the head of the page.
import { css, cx } from '@emotion/css';
import type { GrafanaTheme2, IconName } from '@grafana/data';
import { Icon, useStyles2 } from '@grafana/ui';
import { runbookLink } from '../links';
import { LocalButton } from '../local_link';
import { ago } from '../moments';
import type { Watchdog } from '../pager';
import type { Verdict } from './verdict';

const ICONS: Record<Verdict['level'], IconName> = {
  good: 'check-circle',
  warning: 'exclamation-triangle',
  bad: 'exclamation-triangle',
  unknown: 'question-circle',
};

export function Headline({ verdict }: { verdict: Verdict }) {
  const styles = useStyles2(getStyles);
  const { level, title, detail, first } = verdict;
  const runbook = runbookLink(first?.rule.annotations?.runbook_url);
  return (
    <section className={cx(styles.headline, styles[level])}>
      <Icon key={level} name={ICONS[level]} size="xxl" />
      <div className={styles.text} aria-live="polite">
        <h1 className={styles.title}>{title}</h1>
        {detail && <p className={styles.detail}>{detail}</p>}
      </div>
      {first && runbook && (
        <LocalButton href={runbook} icon="book-open" variant="primary">
          What to do: {first.rule.name}
        </LocalButton>
      )}
    </section>
  );
}

/** The beat that shows that alerts would arrive. */
export function Beat({ watchdog, old, now }: { watchdog?: Watchdog; old: boolean; now: number }) {
  const styles = useStyles2(getStyles);
  if (!watchdog) return null;
  const last = watchdog.last_beat;
  const when = last === null ? 'it never did since the pager was started' : ago(last * 1000, now);
  if (old) return <p className={styles.beat}>Watchdog: unknown. Its last beat that is known: {when}.</p>;
  return watchdog.beating ? (
    <p className={styles.beat}>
      <Icon name="heart" className={styles.beats} /> Watchdog beats, {when}
    </p>
  ) : (
    <p className={cx(styles.beat, styles.silent)}>
      <Icon name="heart-break" /> Watchdog does not beat: no alert would arrive. Last beat: {when}.
    </p>
  );
}

const getStyles = (theme: GrafanaTheme2) => {
  const tone = ({ main, transparent }: { main: string; transparent: string }) =>
    css({ borderColor: main, background: transparent, '& > svg': { color: main } });
  return {
    headline: css({
      display: 'flex',
      flexWrap: 'wrap',
      alignItems: 'center',
      gap: theme.spacing(1, 2),
      padding: theme.spacing(2),
      border: `1px solid ${theme.colors.border.medium}`,
      borderRadius: theme.shape.radius.default,
      background: theme.colors.background.primary,
      '& > svg': { flexShrink: 0, color: theme.colors.text.secondary },
    }),
    good: tone(theme.colors.success),
    warning: tone(theme.colors.warning),
    bad: tone(theme.colors.error),
    unknown: css({}),
    text: css({ flex: '1 1 200px' }),
    title: css({ fontSize: theme.typography.h3.fontSize, margin: 0 }),
    detail: css({ margin: 0 }),
    beat: css({ margin: 0, color: theme.colors.text.secondary }),
    beats: css({ color: theme.colors.success.text }),
    silent: css({ color: theme.colors.error.text, fontWeight: theme.typography.fontWeightBold }),
  };
};
