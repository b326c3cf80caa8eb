// The links of a panel, beside its title and in its menu.
import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { Dropdown, Icon, Menu, Tooltip, useStyles2 } from '@grafana/ui';
import { useShown } from './context';
import type { Destination } from './links';

export function PanelLinks({ links }: { links: Destination[] }) {
  const { goTo } = useShown();
  const styles = useStyles2(getStyles);
  const [first] = links;
  if (links.length === 1 && first)
    return (
      <Tooltip content={first.tooltip ?? first.title}>
        <a
          className={styles.link}
          href={first.href}
          aria-label={first.title}
          {...(first.newTab && { target: '_blank', rel: 'noreferrer' })}
          onClick={(event) => followed(event, first, goTo)}
        >
          <Icon name="external-link-alt" />
        </a>
      </Tooltip>
    );
  const menu = (
    <Menu>
      {links.map((link) => (
        <LinkItem key={link.title + link.href} link={link} />
      ))}
    </Menu>
  );
  return (
    <Dropdown overlay={menu} placement="bottom-start">
      <button type="button" className={styles.link} aria-label={`${links.length} links`}>
        <Icon name="link" />
      </button>
    </Dropdown>
  );
}

export function LinkItem({ link }: { link: Destination }) {
  const { goTo } = useShown();
  return (
    <Menu.Item
      label={link.title}
      icon="link"
      {...(link.internal && !link.newTab
        ? { onClick: () => goTo(link.href) }
        : { url: link.href, target: '_blank' as const })}
    />
  );
}

/** Opens a page of this viewer without a reload, unless a person asks for another tab. */
export function followed(event: React.MouseEvent, link: Destination, goTo: (address: string) => void): void {
  if (!link.internal || link.newTab || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  goTo(link.href);
}

const getStyles = (theme: GrafanaTheme2) => ({
  link: css({
    display: 'flex',
    alignItems: 'center',
    padding: theme.spacing(0.5),
    border: 'none',
    background: 'none',
    color: theme.colors.text.secondary,
    borderRadius: theme.shape.radius.default,
    '&:hover': { color: theme.colors.text.primary, background: theme.colors.action.hover },
    '&:focus-visible': { outline: `2px solid ${theme.colors.primary.main}` },
  }),
});
