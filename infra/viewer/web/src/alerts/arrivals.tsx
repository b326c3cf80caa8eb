// Tells of pages that arrive while somebody looks: where they are seen wherever the page is scrolled to, and aloud.
import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { Alert, useStyles2 } from '@grafana/ui';
import { useEffect, useRef, useState } from 'react';
import { type Page, pageKey } from '../pager';
import { itWas } from './texts';

/** The pages that were not there at the first answer, newest first. */
export function useArrivals(pages: Page[] | undefined): Page[] {
  const first = useRef<Set<string>>(undefined);
  if (!pages) return [];
  first.current ??= new Set(pages.map(pageKey));
  return pages.filter((page) => !first.current!.has(pageKey(page)));
}

export function Arrivals({ pages }: { pages: Page[] }) {
  const styles = useStyles2(getStyles);
  const [seen, setSeen] = useState(0);
  const unseen = pages.slice(0, pages.length - seen);
  const dismiss = () => setSeen(pages.length);

  useEffect(() => {
    const close = (event: KeyboardEvent) => {
      if (event.key === 'Escape') setSeen(pages.length);
    };
    window.addEventListener('keydown', close);
    return () => window.removeEventListener('keydown', close);
  }, [pages.length]);

  return (
    <div className={styles.corner} aria-live="assertive">
      {unseen.length > 0 && (
        <Alert
          severity={unseen[0]!.status === 'firing' ? 'error' : 'success'}
          title={unseen.length === 1 ? 'A message has arrived' : `${unseen.length} messages have arrived. The newest`}
          elevated
          onRemove={dismiss}
        >
          {sentence(unseen[0]!)}
        </Alert>
      )}
    </div>
  );
}

function sentence({ status, alerts }: Page): string {
  const names = alerts.map((alert) => alert.name).join(', ') || 'alerts that could not be read';
  const summary = alerts[0]?.annotations.summary ?? '';
  return status === 'firing' ? `Firing: ${names}. ${summary}` : `Resolved: ${names}. ${itWas(summary)}`;
}

const getStyles = (theme: GrafanaTheme2) => ({
  corner: css({
    position: 'fixed',
    right: theme.spacing(1),
    bottom: 0,
    width: 'min(420px, calc(100vw - 16px))',
    zIndex: theme.zIndex.portal,
  }),
});
