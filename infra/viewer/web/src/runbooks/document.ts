// The runbooks' Markdown as sections, one for each alert.
import { lexer, type Token, type Tokens } from 'marked';

export interface Section {
  /** The alert's name. */
  name: string;
  /** The anchor to it: the name in lower case. */
  id: string;
  tokens: Token[];
}
export interface RunbookDocument {
  /** What stands before the first section. */
  head: Token[];
  sections: Section[];
}

export function readDocument(markdown: string): RunbookDocument {
  const head: Token[] = [];
  const sections: Section[] = [];
  for (const token of lexer(markdown)) {
    const heading = token.type === 'heading' && (token as Tokens.Heading).depth === 2;
    if (heading) sections.push({ name: token.text, id: token.text.toLowerCase(), tokens: [] });
    else (sections.at(-1)?.tokens ?? head).push(token);
  }
  return { head, sections };
}

const FOLDER = 'docs/RUNBOOKS';

// Prometheus has its own pages only where it is built with them. Explore asks it in any case.
const PROMETHEUS = /^https?:\/\/(?:127\.0\.0\.1|localhost|prometheus):9090(?:[/?#].*)?$/;

export type Target = { page: string } | { elsewhere: string } | { file: string } | undefined;

/**
 * Where a link of the runbooks leads: to an anchor or Explore here, to a server elsewhere, or to a file of the repository, which this
 * viewer does not have. Undefined if it must not be followed: any other could run a script.
 */
export function target(href: string, anchors: ReadonlySet<string>): Target {
  if (PROMETHEUS.test(href)) return { page: '/explore' };
  if (/^https?:\/\//.test(href)) return { elsewhere: href };
  if (/^[a-z][a-z+.-]*:/i.test(href) || href.startsWith('//')) return undefined;
  const anchor = href.split('#')[1]?.toLowerCase();
  const path = decodeURI(href.split('#')[0]!);
  if (path === '' || path.endsWith('prometheus-alerts.md'))
    return anchor !== undefined && anchors.has(anchor) ? { page: `/runbooks#${anchor}` } : undefined;
  const url = new URL(path, `http://repository/${FOLDER}/`);
  return { file: decodeURI(url.pathname.slice(1)) };
}
