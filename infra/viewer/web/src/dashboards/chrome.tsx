// The frame of a panel: its title, what stands beside it, and its menu.
import { css } from '@emotion/css';
import { type GrafanaTheme2, LoadingState } from '@grafana/data';
import { measureText, Menu, PanelChrome, RenderUserContentAsHTML, Tooltip, useStyles2 } from '@grafana/ui';
import { useEffect, useState } from 'react';
import { exploreLink } from '../links';
import { useShown } from './context';
import type { Lookup } from './interpolation';
import type { Placed } from './layout';
import type { Destination } from './links';
import { LinkItem, PanelLinks } from './panel_links';
import { asked, prepared, rangeFor } from './queries';

export interface Framed {
  placed: Placed;
  lookup: Lookup;
  width: number;
  height: number;
  title: string;
  /** HTML, made when it is looked at. */
  description?: (() => string) | undefined;
  note?: string | undefined;
  links: Destination[];
}

interface Props extends Framed {
  loading?: boolean;
  status?: string | undefined;
  children: (width: number, height: number) => React.ReactNode;
}

// Below that, in pixels, a panel has no room for a margin.
const LOW = 80;
// What of a header is not its title, and each thing beside it, in pixels.
const [FRAME, ICON, TITLE_SIZE] = [64, 26, 14];
// Letters of a title stand further apart than those that are measured.
const SPACED = 1.08;

export function Chrome({
  placed,
  lookup,
  width,
  height,
  title,
  description,
  note,
  links,
  loading,
  status,
  children,
}: Props) {
  const shown = useShown();
  const { panel, key } = placed;
  const styles = useStyles2(getStyles);
  // A bar that comes and goes at each refresh would not say anything.
  const slow = useLasting(Boolean(loading), 1500);
  const expressions = () => {
    const { targets } = asked(panel, shown.dashboard, lookup);
    const range = rangeFor(panel, shown.range);
    return targets.map((target) => prepared(panel, target, range, width, lookup).expr);
  };
  const menu = () => (
    <Menu>
      <Menu.Item label="View" icon="eye" onClick={() => shown.view(key)} />
      {panel.targets?.some(({ expr }) => expr) && (
        <Menu.Item
          label="Explore this query"
          icon="compass"
          onClick={() => shown.goTo(exploreLink(expressions(), shown.span.from, shown.span.to))}
        />
      )}
      {links.map((link) => (
        <LinkItem key={link.title + link.href} link={link} />
      ))}
    </Menu>
  );
  const room = width - FRAME - (title ? measureText(title, TITLE_SIZE, 500).width * SPACED : 0);
  // The words of a title are worth more than what stands beside them.
  const shownLinks = links.length > 0 && room >= ICON;
  const shownText = Boolean(description) && room >= (shownLinks ? 2 * ICON : ICON);
  const items = [
    ...(note
      ? [
          <span key="note" className={styles.note}>
            {note}
          </span>,
        ]
      : []),
    ...(shownLinks ? [<PanelLinks key="links" links={links} />] : []),
  ];
  return (
    <PanelChrome
      width={width}
      height={height}
      padding={height < LOW ? 'none' : 'md'}
      title={
        title && description && !shownText ? (
          <Tooltip
            content={() => (
              <div className="panel-info-content markdown-html">
                <RenderUserContentAsHTML content={description()} />
              </div>
            )}
          >
            <span>{title}</span>
          </Tooltip>
        ) : (
          title
        )
      }
      hoverHeader={!title}
      description={shownText && description ? description : ''}
      displayMode={panel.transparent ? 'transparent' : 'default'}
      titleItems={items.length > 0 ? <>{items}</> : undefined}
      menu={menu}
      {...(slow && { loadingState: LoadingState.Loading })}
      {...(status && { statusMessage: status })}
    >
      {children}
    </PanelChrome>
  );
}

function useLasting(value: boolean, least: number): boolean {
  const [lasting, setLasting] = useState(false);
  useEffect(() => {
    if (!value) {
      setLasting(false);
      return;
    }
    const timer = setTimeout(() => setLasting(true), least);
    return () => clearTimeout(timer);
  }, [value, least]);
  return lasting;
}

/** What stands in the place of a panel that is not near the window: one frame costs as much as all of these. */
export function Outline({ title, transparent }: { title: string; transparent: boolean }) {
  const styles = useStyles2(getStyles);
  return (
    <section className={transparent ? styles.hidden : styles.outline} aria-label={title}>
      <h2 className={styles.title}>{title}</h2>
    </section>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  note: css({
    color: theme.colors.text.secondary,
    fontSize: theme.typography.bodySmall.fontSize,
    padding: theme.spacing(0, 1),
    whiteSpace: 'nowrap',
  }),
  outline: css({
    height: '100%',
    background: theme.components.panel.background,
    border: `1px solid ${theme.components.panel.borderColor}`,
    borderRadius: theme.shape.radius.default,
  }),
  hidden: css({ height: '100%' }),
  title: css({
    margin: 0,
    padding: theme.spacing(0.75, 1),
    fontSize: theme.typography.h6.fontSize,
    fontWeight: theme.typography.h6.fontWeight,
    overflow: 'hidden',
    whiteSpace: 'nowrap',
  }),
});
