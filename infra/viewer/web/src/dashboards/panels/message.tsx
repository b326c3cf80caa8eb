// A sentence in a panel's place.
import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { useStyles2 } from '@grafana/ui';
import type { ReactNode } from 'react';

export function Message({ children, bad = false }: { children: ReactNode; bad?: boolean }) {
  const styles = useStyles2(getStyles);
  return (
    <div className={styles.frame} role={bad ? 'alert' : undefined}>
      <div className={bad ? styles.bad : styles.text}>{children}</div>
    </div>
  );
}

const getStyles = (theme: GrafanaTheme2) => {
  const text = { maxWidth: '60ch', textAlign: 'center', overflowWrap: 'anywhere' } as const;
  return {
    // `margin: auto` below keeps the beginning of a long text in reach, which `align-items: center` does not.
    frame: css({
      display: 'flex',
      height: '100%',
      overflow: 'auto',
      padding: theme.spacing(1),
      '> *': { margin: 'auto' },
    }),
    text: css({ ...text, color: theme.colors.text.secondary }),
    bad: css({ ...text, color: theme.colors.error.text }),
  };
};
