// The table of contents, with a filter. What fires now is marked.
import { css, cx } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { FilterInput, useStyles2 } from '@grafana/ui';
import { useState } from 'react';
import type { Section } from './document';

interface Props {
  sections: Section[];
  /** The anchor that the address names. */
  current: string;
  firing: ReadonlySet<string>;
}

export function Contents({ sections, current, firing }: Props) {
  const styles = useStyles2(getStyles);
  const [text, setText] = useState('');
  const found = sections.filter((section) => section.id.includes(text.trim().toLowerCase()));
  return (
    <nav className={styles.contents} aria-label="Contents">
      <FilterInput aria-label="Filter runbooks by name" placeholder="Filter by name" value={text} onChange={setText} />
      {found.length === 0 && <p>No runbook has this in its name.</p>}
      <ul className={styles.list}>
        {found.map(({ name, id }) => (
          <li key={id}>
            <a
              href={`#${id}`}
              className={cx(styles.link, id === current && styles.current)}
              aria-current={id === current ? 'location' : undefined}
            >
              {name}
              {firing.has(id) && <span className={styles.firing}>fires</span>}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  contents: css({
    display: 'flex',
    flexDirection: 'column',
    gap: theme.spacing(1),
    [theme.breakpoints.up('md')]: { position: 'sticky', top: 56, alignSelf: 'start' },
  }),
  list: css({
    listStyle: 'none',
    overflowY: 'auto',
    padding: 2, // room for the outline of the focus
    maxHeight: 'calc(100vh - 120px)',
    [theme.breakpoints.down('md')]: { maxHeight: 200, border: `1px solid ${theme.colors.border.weak}` },
  }),
  link: css({
    display: 'flex',
    justifyContent: 'space-between',
    gap: theme.spacing(1),
    padding: theme.spacing(0.5, 1),
    color: theme.colors.text.secondary,
    '&:hover': { color: theme.colors.text.primary, background: theme.colors.action.hover },
  }),
  current: css({ color: theme.colors.text.primary, boxShadow: `inset 2px 0 ${theme.colors.primary.main}` }),
  firing: css({ color: theme.colors.error.text, fontWeight: theme.typography.fontWeightMedium }),
});
