// The runbooks: what to do about each alert, and whether it fires now.
import { css, cx } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { Alert, useStyles2 } from '@grafana/ui';
import { useEffect, useMemo, useState } from 'react';
import { Body } from '../body';
import { useNow } from '../moments';
import { Outage } from '../outage';
import { usePolled } from '../polling';
import { ruleGroups } from '../prometheus';
import { Contents } from './contents';
import { readDocument } from './document';
import { Markdown } from './markdown';
import { nowByAlert } from './now';
import { NowBadge } from './now_badge';
import { knownMetrics, loadMetrics, loadRunbooks } from './source';

export default function Runbooks() {
  const styles = useStyles2(getStyles);
  const now = useNow();
  const markdown = usePolled(loadRunbooks, 30_000);
  const groups = usePolled(ruleGroups, 5000);
  const names = usePolled(loadMetrics, 60_000);
  const current = useAnchor();

  const { head, sections } = useMemo(() => readDocument(markdown.data ?? ''), [markdown.data]);
  const anchors = useMemo(() => new Set(sections.map((section) => section.id)), [sections]);
  const states = useMemo(() => nowByAlert(groups.data ?? []), [groups.data]);
  const metrics = useKnown(names.data, groups.data);
  const context = useMemo(() => ({ anchors, metrics }), [anchors, metrics]);
  const text = useMemo(
    () => ({
      head: <Markdown tokens={head} context={context} />,
      sections: sections.map((section) => <Markdown key={section.id} tokens={section.tokens} context={context} />),
    }),
    [head, sections, context],
  );
  const old = groups.error !== undefined;
  const firing = new Set(old ? [] : [...states].filter(([, { state }]) => state === 'firing').map(([id]) => id));

  useEffect(() => {
    const heading = current && document.getElementById(current);
    if (!heading) return;
    heading.scrollIntoView();
    heading.focus({ preventScroll: true });
  }, [current, sections]);

  return (
    <Body title="Runbooks">
      <Outage polled={markdown} now={now} />
      <Outage polled={groups} now={now} unknown="Whether an alert fires now is unknown." />
      {markdown.data !== undefined && current && !anchors.has(current) && (
        <Alert severity="warning" title={`There is no runbook named “${current}”.`} bottomSpacing={0} />
      )}
      {markdown.data !== undefined && (
        <div className={styles.columns}>
          <Contents sections={sections} current={current} firing={firing} />
          <div>
            {text.head}
            {sections.map(({ name, id }, index) => (
              <section key={id} className={cx(styles.section, id === current && styles.current)}>
                <header className={styles.head}>
                  <h2 id={id} tabIndex={-1} className={styles.name}>
                    <a href={`#${id}`}>{name}</a>
                  </h2>
                  <NowBadge name={name} state={states.get(id)} old={old} now={now} />
                </header>
                {text.sections[index]}
              </section>
            ))}
          </div>
        </div>
      )}
    </Body>
  );
}

/** What stands behind # in the address. */
function useAnchor(): string {
  const read = () => decodeURIComponent(window.location.hash.slice(1)).toLowerCase();
  const [anchor, setAnchor] = useState(read);
  useEffect(() => {
    const change = () => setAnchor(read());
    window.addEventListener('hashchange', change);
    return () => window.removeEventListener('hashchange', change);
  }, []);
  return anchor;
}

/** The same set as long as the names in it are, so that the text is not drawn again every few seconds. */
function useKnown(...[names, groups]: Parameters<typeof knownMetrics>): Set<string> {
  const written = useMemo(() => [...knownMetrics(names, groups)].sort().join(' '), [names, groups]);
  return useMemo(() => new Set(written.split(' ')), [written]);
}

const getStyles = (theme: GrafanaTheme2) => ({
  columns: css({
    display: 'grid',
    gap: theme.spacing(3),
    gridTemplateColumns: 'minmax(0, 1fr)',
    [theme.breakpoints.up('md')]: { gridTemplateColumns: '260px minmax(0, 1fr)' },
  }),
  section: css({
    padding: theme.spacing(1, 2),
    margin: theme.spacing(0, 0, 2, -2),
    borderLeft: '4px solid transparent',
    [theme.breakpoints.down('md')]: { marginLeft: 0, padding: theme.spacing(1) },
  }),
  current: css({ background: theme.colors.background.primary, borderLeftColor: theme.colors.primary.main }),
  head: css({ display: 'flex', flexWrap: 'wrap', alignItems: 'center', gap: theme.spacing(1), marginBottom: 8 }),
  name: css({
    margin: 0,
    fontSize: theme.typography.h3.fontSize,
    scrollMarginTop: 56, // what the bar at the top covers, and a little
    [theme.breakpoints.down('md')]: { scrollMarginTop: 84 }, // where the bar has two lines
    outline: 'none',
  }),
});
