// The latest value of each series, in a table that can be sorted by each label.
import { createDataFrame, type DataFrame, FieldType, getDisplayProcessor, type GrafanaTheme2 } from '@grafana/data';
import { Table, useTheme2 } from '@grafana/ui';
import { useMemo } from 'react';
import { latest, type Rows } from './tables';
import type { Answers } from './use_answers';

const ROW = 36;
const MOST_HEIGHT = 480;
const VALUE_COLUMN = 140;
const MOST_COLUMN = 340;
const CHARACTER = 8;
const PADDING = 24;

export function ResultsTable({ answers: { answers }, width }: { answers: Answers; width: number }) {
  const theme = useTheme2();
  const rows = useMemo(() => latest(answers), [answers]);
  const frame = useMemo(() => frameOf(rows, answers.length > 1, theme), [rows, answers.length, theme]);
  const wanted = (rows.rows.length + 1) * ROW + 12; // room for the bar that scrolls sideways
  return <Table ariaLabel="Latest values" data={frame} width={width} height={Math.min(MOST_HEIGHT, wanted)} />;
}

function frameOf({ labels, rows }: Rows, several: boolean, theme: GrafanaTheme2): DataFrame {
  const column = (name: string, values: string[]) => {
    const longest = Math.max(...[name, ...values].map((value) => value.length));
    const minWidth = Math.min(longest * CHARACTER + PADDING, MOST_COLUMN);
    return { name, type: FieldType.string, config: { custom: { minWidth } }, values };
  };
  const queries = rows.map(({ query }) => String(query));
  const frame = createDataFrame({
    fields: [
      // First, because on a narrow screen what comes last is out of sight.
      {
        name: 'Value',
        type: FieldType.number,
        config: { custom: { width: VALUE_COLUMN } },
        values: rows.map(({ value }) => numberOf(value)),
      },
      ...(several ? [column('Query', queries)] : []),
      ...labels.map((label) => {
        const values = rows.map((row) => row.labels[label] ?? '');
        return column(label === '__name__' ? 'Metric' : label, values);
      }),
    ],
  });
  for (const field of frame.fields) field.display = getDisplayProcessor({ field, theme, timeZone: 'utc' });
  return frame;
}

/** A value as Prometheus writes it. Null for none. */
function numberOf(value: string | undefined): number | null {
  return value === undefined ? null : Number(value.replace('Inf', 'Infinity'));
}
