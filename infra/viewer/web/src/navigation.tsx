// The bar at the top of every page: what there is to see, and what this program is.
import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { IconButton, useStyles2, useTheme2 } from '@grafana/ui';
import { Link, useLocation } from 'wouter';
import { chooseMode } from './mode';

const PAGES = [
  ['/', 'Dashboards'],
  ['/alerts', 'Alerts'],
  ['/runbooks', 'Runbooks'],
  ['/explore', 'Explore'],
] as const;

export function Navigation() {
  const styles = useStyles2(getStyles);
  const { isDark } = useTheme2();
  const [here] = useLocation();
  const other = isDark ? 'light' : 'dark';
  return (
    <header className={styles.bar}>
      <nav className={styles.links}>
        {PAGES.map(([path, title]) => (
          <Link
            key={path}
            href={path}
            className={(active) => (active || (path === '/' && here.startsWith('/d/')) ? styles.active : styles.link)}
          >
            {title}
          </Link>
        ))}
      </nav>
      <span className={styles.what}>Grafana&rsquo;s components, not Grafana&rsquo;s server</span>
      <IconButton name="adjust-circle" tooltip={`Switch to the ${other} colours`} onClick={() => chooseMode(other)} />
    </header>
  );
}

const getStyles = (theme: GrafanaTheme2) => {
  const link = { padding: theme.spacing(1, 1.5), color: theme.colors.text.secondary, whiteSpace: 'nowrap' } as const;
  return {
    bar: css({
      // In reach wherever a page is scrolled to.
      position: 'sticky',
      top: 0,
      zIndex: theme.zIndex.navbarFixed,
      display: 'flex',
      flexWrap: 'wrap',
      alignItems: 'center',
      gap: theme.spacing(1),
      padding: theme.spacing(0, 1),
      background: theme.colors.background.primary,
      borderBottom: `1px solid ${theme.colors.border.weak}`,
    }),
    links: css({ display: 'flex', flexWrap: 'wrap' }),
    link: css(link),
    active: css({ ...link, color: theme.colors.text.primary, boxShadow: `inset 0 -2px ${theme.colors.primary.main}` }),
    what: css({
      marginLeft: 'auto',
      color: theme.colors.text.secondary,
      fontSize: theme.typography.bodySmall.fontSize,
    }),
  };
};
