// A text of the dashboard's author: Markdown, HTML or code, without what could run.
import { css } from '@emotion/css';
import { type GrafanaTheme2, renderTextPanelMarkdown, textUtil } from '@grafana/data';
import { useStyles2 } from '@grafana/ui';
import { asText, interpolate, type Lookup } from '../interpolation';
import type { Panel } from '../model';

export function TextPanel({ panel, lookup }: { panel: Panel; lookup: Lookup }) {
  const styles = useStyles2(getStyles);
  const { mode = 'markdown', content = '' } = panel.options ?? {};
  const written = interpolate(content, lookup, asText);
  if (mode === 'code') return <pre className={styles.text}>{written}</pre>;
  const html = mode === 'html' ? textUtil.sanitizeTextPanelContent(written) : renderTextPanelMarkdown(written);
  return <div className={`markdown-html ${styles.text}`} dangerouslySetInnerHTML={{ __html: html }} />;
}

const getStyles = (theme: GrafanaTheme2) => ({
  text: css({
    height: '100%',
    overflow: 'auto',
    overflowWrap: 'anywhere',
    padding: theme.spacing(0, 1),
    '& img': { maxWidth: '100%' },
  }),
});
