// What the pages other than dashboards stand in: a column that is readable at every width.
import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { useStyles2 } from '@grafana/ui';
import { type ReactNode, useEffect } from 'react';

/** `title` is the one of the browser's tab. */
export function Body({ title, children }: { title: string; children: ReactNode }) {
  const styles = useStyles2(getStyles);
  useEffect(() => {
    document.title = title;
  }, [title]);
  return <div className={styles.body}>{children}</div>;
}

const getStyles = (theme: GrafanaTheme2) => ({
  body: css({
    display: 'flex',
    flexDirection: 'column',
    gap: theme.spacing(2),
    maxWidth: 1500,
    margin: '0 auto',
    padding: theme.spacing(2),
    overflowWrap: 'anywhere',
    [theme.breakpoints.down('sm')]: { padding: theme.spacing(1) },
  }),
});
