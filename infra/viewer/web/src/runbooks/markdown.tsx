// Draws Markdown as elements. HTML in it is shown as text, so nothing of it can run.
import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { useStyles2 } from '@grafana/ui';
import type { Token, Tokens } from 'marked';
import { createElement, Fragment, type ReactNode } from 'react';
import { Link } from 'wouter';
import { exploreLink } from '../links';
import { isQuery, withoutPlaceholders } from '../promql';
import { target } from './document';

export interface Context {
  /** The anchors of the page. Emphasised text that is the name of one is a link to it. */
  anchors: ReadonlySet<string>;
  /** The metrics whose queries are links into Explore. */
  metrics: ReadonlySet<string>;
}

export function Markdown({ tokens, context }: { tokens: Token[]; context: Context }) {
  const styles = useStyles2(getStyles);
  return <div className={styles.text}>{draw(tokens, context)}</div>;
}

function draw(tokens: Token[] | undefined, context: Context): ReactNode {
  return (tokens ?? []).map((token, index) => <Fragment key={index}>{drawToken(token, context)}</Fragment>);
}

function drawToken(token: Token, context: Context): ReactNode {
  const inner = () => draw('tokens' in token ? token.tokens : undefined, context);
  switch (token.type) {
    case 'space':
    case 'def':
      return null;
    case 'heading':
      return createElement(`h${(token as Tokens.Heading).depth}`, null, inner());
    case 'paragraph':
      return <p>{inner()}</p>;
    case 'strong':
      return <strong>{inner()}</strong>;
    case 'em': {
      const anchor = token.text.toLowerCase();
      if (context.anchors.has(anchor)) return <a href={`#${anchor}`}>{inner()}</a>;
      return <em>{inner()}</em>;
    }
    case 'del':
      return <del>{inner()}</del>;
    case 'br':
      return <br />;
    case 'hr':
      return <hr />;
    case 'blockquote':
      return <blockquote>{inner()}</blockquote>;
    case 'codespan':
      return <Query text={token.text} context={context} />;
    case 'code':
      return (
        <pre>
          <Query text={token.text} context={context} />
        </pre>
      );
    case 'list': {
      const { ordered, items, start } = token as Tokens.List;
      const entries = items.map((item, index) => <li key={index}>{draw(item.tokens, context)}</li>);
      return ordered ? <ol start={start || undefined}>{entries}</ol> : <ul>{entries}</ul>;
    }
    case 'table': {
      const { header, rows } = token as Tokens.Table;
      const row = (cells: Tokens.TableCell[], cell: 'th' | 'td') => (
        <tr>{cells.map(({ tokens }, index) => createElement(cell, { key: index }, draw(tokens, context)))}</tr>
      );
      return (
        <table>
          <thead>{row(header, 'th')}</thead>
          <tbody>
            {rows.map((cells, index) => (
              <Fragment key={index}>{row(cells, 'td')}</Fragment>
            ))}
          </tbody>
        </table>
      );
    }
    case 'link':
      return drawLink(token as Tokens.Link, inner(), context);
    default:
      return 'tokens' in token && token.tokens ? inner() : 'text' in token ? token.text : token.raw;
  }
}

function Query({ text, context }: { text: string; context: Context }) {
  if (!isQuery(text, context.metrics)) return <code>{text}</code>;
  return (
    <Link href={exploreLink([withoutPlaceholders(text)], 'now-1h')} title="Explore this query">
      <code>{text}</code>
    </Link>
  );
}

function drawLink({ href, text }: Tokens.Link, inner: ReactNode, { anchors }: Context): ReactNode {
  const leads = target(href, anchors);
  if (!leads) return inner;
  if ('page' in leads) return <a href={leads.page}>{inner}</a>;
  if ('file' in leads)
    return text === leads.file ? (
      inner
    ) : (
      <>
        {inner} ({leads.file})
      </>
    );
  return (
    <a href={leads.elsewhere} target="_blank" rel="noreferrer">
      {inner}
    </a>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  text: css({
    maxWidth: '80ch',
    lineHeight: 1.6,
    '& a': { color: theme.colors.text.link, '&:hover': { textDecoration: 'underline' } },
    '& a code': {
      color: 'inherit',
      textDecoration: 'underline',
      textDecorationStyle: 'dotted',
      textUnderlineOffset: 3,
    },
    '& p': { margin: theme.spacing(0, 0, 1.5) },
    '& ul, & ol': { margin: theme.spacing(0, 0, 1.5, 3) },
    '& code': { whiteSpace: 'pre-wrap', wordBreak: 'normal', boxDecorationBreak: 'clone' },
    '& pre': { whiteSpace: 'pre-wrap' },
    '& table': { display: 'block', overflowX: 'auto', marginBottom: theme.spacing(1.5) },
    '& th, & td': {
      padding: theme.spacing(0.5, 1),
      border: `1px solid ${theme.colors.border.weak}`,
      textAlign: 'left',
    },
  }),
});
