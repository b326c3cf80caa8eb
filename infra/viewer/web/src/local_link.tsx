// Links and buttons that lead to another page of this viewer without loading it again.
import { LinkButton, type ButtonVariant } from '@grafana/ui';
import type { IconName } from '@grafana/data';
import type { MouseEvent, ReactNode } from 'react';
import { useLocation } from 'wouter';

interface Props {
  href: string;
  icon?: IconName;
  variant?: ButtonVariant;
  children: ReactNode;
}

/** A link that looks like a button. An address elsewhere opens in a tab of its own. */
export function LocalButton({ href, icon, variant = 'secondary', children }: Props) {
  const [, navigate] = useLocation();
  const local = href.startsWith('/');
  const follow = (event: MouseEvent) => {
    if (!local || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    navigate(href);
  };
  return (
    <LinkButton
      href={href}
      icon={icon}
      variant={variant}
      size="sm"
      onClick={follow}
      {...(!local && { target: '_blank', rel: 'noreferrer' })}
    >
      {children}
    </LinkButton>
  );
}
