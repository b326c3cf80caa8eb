// Explore: asks Prometheus whatever somebody wants to know. All that is asked stands in the address.
import { css, cx } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { LoadingPlaceholder, RefreshPicker, TimeRangePicker, useStyles2 } from '@grafana/ui';
import { useEffect, useMemo, useState } from 'react';
import { useSearchParams } from 'wouter';
import { Body } from '../body';
import { useRounds } from '../dashboards/refresh';
import { useNow } from '../moments';
import { Outage } from '../outage';
import { moved, rangeOf, type Span, spanOf, zoomedOut } from '../time';
import { useWidth } from '../width';
import { type Asked, readAddress, writeAddress } from './address';
import { Graph } from './graph';
import { Queries } from './queries';
import { ResultsTable } from './results_table';
import { useAnswers } from './use_answers';

export default function Explore() {
  const styles = useStyles2(getStyles);
  const now = useNow();
  const [parameters, setParameters] = useSearchParams();
  const address = parameters.toString();
  const asked = useMemo(() => readAddress(new URLSearchParams(address)), [address]);
  const [round, next] = useRounds(asked.refresh);
  const answers = useAnswers(asked, round);
  const [ref, width] = useWidth();

  const written = asked.expressions.join('\n');
  const [drafts, setDrafts] = useState<string[]>([]);
  // What the address says, also after going back.
  useEffect(() => setDrafts(asked.expressions.length > 0 ? asked.expressions : ['']), [written]);

  const show = (changes: Partial<Asked>) => setParameters(writeAddress({ ...asked, ...changes }));
  const wanted = drafts.map((draft) => draft.trim()).filter(Boolean);
  const run = () => {
    if (wanted.join('\n') !== written) show({ expressions: wanted });
    else next();
  };
  const range = useMemo(() => rangeOf(asked.span), [asked, round]);
  const setSpan = (span: Span) => show({ span });
  const link = () => `${window.location.origin}/explore?${writeAddress({ ...asked, expressions: wanted })}`;

  return (
    <Body title="Explore">
      <div className={styles.times}>
        <TimeRangePicker
          value={range}
          timeZone="utc"
          onChange={({ raw }) => setSpan(spanOf(raw))}
          onChangeTimeZone={() => {}}
          onMoveBackward={() => setSpan(moved(range, -1))}
          onMoveForward={() => setSpan(moved(range, 1))}
          onZoom={() => setSpan(zoomedOut(range))}
          isOnCanvas
        />
        <RefreshPicker
          value={asked.refresh}
          onRefresh={next}
          onIntervalChanged={(refresh) => show({ refresh })}
          isLoading={answers.loading}
          isOnCanvas
        />
      </div>
      <Queries
        drafts={drafts}
        onDrafts={setDrafts}
        answers={answers.data?.answers ?? []}
        loading={answers.loading}
        onRun={run}
        link={link}
      />
      <Outage polled={answers} now={now} />
      <section ref={ref} aria-label="Results" className={cx(styles.results, answers.error !== undefined && styles.old)}>
        {asked.expressions.length === 0 ? (
          <p>Write a query, then run it with Shift+Enter. Ctrl+Space shows which metrics there are.</p>
        ) : !answers.data ? (
          answers.loading && <LoadingPlaceholder text="Asking Prometheus …" />
        ) : (
          width > 0 && <Results answers={answers.data} width={width} onZoom={setSpan} />
        )}
      </section>
    </Body>
  );
}

function Results({ answers, width, onZoom }: Parameters<typeof Graph>[0]) {
  const styles = useStyles2(getStyles);
  const drawn = answers.answers.some(({ range }) => range.length > 0);
  const rows = answers.answers.reduce((sum, { instant }) => sum + instant.length, 0);
  const failed = answers.answers.every(({ error }) => error !== undefined);
  if (!drawn && rows === 0) return failed ? null : <p>The result is empty: no series matches in this range of time.</p>;
  return (
    <>
      {drawn ? <Graph answers={answers} width={width} onZoom={onZoom} /> : <p>There is nothing to draw over time.</p>}
      <h2 className={styles.title}>
        Latest values <span className={styles.count}>{rows}</span>
      </h2>
      {rows > 0 ? (
        <ResultsTable answers={answers} width={width} />
      ) : (
        <p>At the end of this range of time the result is empty.</p>
      )}
      <p className={styles.count}>One point every {answers.step} s.</p>
    </>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  times: css({ display: 'flex', flexWrap: 'wrap', justifyContent: 'flex-end', gap: theme.spacing(1) }),
  results: css({ display: 'flex', flexDirection: 'column', gap: theme.spacing(1), minWidth: 0 }),
  old: css({ opacity: 0.6 }),
  title: css({ fontSize: theme.typography.h5.fontSize, margin: theme.spacing(1, 0, 0) }),
  count: css({ color: theme.colors.text.secondary, fontWeight: theme.typography.fontWeightRegular }),
});
