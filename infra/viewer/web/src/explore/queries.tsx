// The query fields of Explore, and what runs them.
import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { Alert, Button, ClipboardButton, IconButton, useStyles2 } from '@grafana/ui';
import { lazy, Suspense } from 'react';
import type { Answer } from './ask';

const Editor = lazy(() => import('./editor').then(({ Editor }) => ({ default: Editor })));

interface Props {
  /** At least one. */
  drafts: string[];
  onDrafts: (drafts: string[]) => void;
  /** Those of the drafts that were run. */
  answers: Answer[];
  loading: boolean;
  onRun: () => void;
  link: () => string;
}

export function Queries({ drafts, onDrafts, answers, loading, onRun, link }: Props) {
  const styles = useStyles2(getStyles);
  const change = (index: number, text: string) => onDrafts(drafts.map((draft, i) => (i === index ? text : draft)));
  return (
    <div className={styles.queries}>
      {drafts.map((draft, index) => (
        <div key={index}>
          <div className={styles.row}>
            {drafts.length > 1 && <span className={styles.number}>{index + 1}</span>}
            <div className={styles.field}>
              <Suspense fallback={<pre className={styles.waiting}>{draft || ' '}</pre>}>
                <Editor
                  value={draft}
                  label={drafts.length > 1 ? `Query ${index + 1}` : 'Query'}
                  onChange={(text) => change(index, text)}
                  onRun={onRun}
                />
              </Suspense>
            </div>
            {drafts.length > 1 && (
              <IconButton
                name="trash-alt"
                size="lg"
                tooltip={`Remove query ${index + 1}`}
                onClick={() => onDrafts(drafts.filter((_, i) => i !== index))}
              />
            )}
          </div>
          <Problem
            answer={answers.find(({ expression }) => expression === draft.trim())}
            alone={answers.length === 1}
          />
        </div>
      ))}
      <div className={styles.actions}>
        <Button icon={loading ? 'sync' : 'play'} onClick={onRun} tooltip="Shift+Enter or Ctrl+Enter">
          Run
        </Button>
        <Button icon="plus" variant="secondary" onClick={() => onDrafts([...drafts, ''])}>
          Add query
        </Button>
        <ClipboardButton icon="link" variant="secondary" getText={link}>
          Copy link
        </ClipboardButton>
      </div>
    </div>
  );
}

/** `alone`: the page says itself when there is no result at all. */
function Problem({ answer, alone }: { answer?: Answer; alone: boolean }) {
  const styles = useStyles2(getStyles);
  if (!answer) return null;
  if (answer.error === undefined) {
    const empty = answer.range.length === 0 && answer.instant.length === 0;
    return empty && !alone ? <p className={styles.empty}>The result of this query is empty.</p> : null;
  }
  // An expression such as up[5m] has a value now, and none over time.
  const known = answer.instant.length > 0;
  return (
    <Alert
      severity={known ? 'warning' : 'error'}
      title={known ? 'Prometheus cannot answer this query over time' : 'Prometheus cannot answer this query'}
      topSpacing={1}
      bottomSpacing={0}
    >
      {answer.error}
    </Alert>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  queries: css({ display: 'flex', flexDirection: 'column', gap: theme.spacing(1) }),
  row: css({ display: 'flex', alignItems: 'center', gap: theme.spacing(1) }),
  number: css({ color: theme.colors.text.secondary, fontFamily: theme.typography.fontFamilyMonospace }),
  field: css({ flex: 1, minWidth: 0 }),
  waiting: css({ margin: 0, padding: theme.spacing(1) }),
  empty: css({ margin: theme.spacing(0.5, 0, 0), color: theme.colors.text.secondary }),
  actions: css({ display: 'flex', flexWrap: 'wrap', gap: theme.spacing(1) }),
});
