// What Prometheus answered, as data frames: the shape in which Grafana's components take data.
import { createDataFrame, type DataFrame, type Field, FieldType } from '@grafana/data';
import type { Labels, Sample, Series } from '../prometheus';
import { legendOf } from './legend';
import type { Target } from './model';

const number = (text: string): number => (text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text));

/** A frame for each series. `step` in seconds: two points that are further apart have a gap between them. */
export function seriesFrames(target: Target, expr: string, answer: Series[], step?: number): DataFrame[] {
  return answer.map(({ metric, values }) => {
    const legend = legendOf(target.legendFormat, metric, expr);
    const { __name__: metricName, ...labels } = metric;
    return createDataFrame({
      refId: target.refId,
      ...(legend !== undefined ? { name: legend } : { name: metricName ?? '' }),
      fields: [
        {
          name: 'Time',
          type: FieldType.time,
          config: step ? { interval: step * 1000 } : {},
          values: values.map(([time]) => Math.round(time * 1000)),
        },
        {
          name: 'Value',
          type: FieldType.number,
          labels,
          config: legend !== undefined ? { displayNameFromDS: legend } : {},
          values: values.map(([, value]) => number(value)),
        },
      ],
    });
  });
}

/** One frame with a row for each sample: its time, its labels, its value. */
export function tableFrame(target: Target, answer: Series[], onlyOne: boolean): DataFrame {
  const labels = [...new Set(answer.flatMap(({ metric }) => Object.keys(metric)))].sort();
  const rows = answer.flatMap(({ metric, values }) => values.map((sample): [Labels, Sample] => [metric, sample]));
  const columns: Partial<Field>[] = labels.map((label) => ({
    name: label,
    type: FieldType.string,
    config: { filterable: true },
    values: rows.map(([metric]) => metric[label] ?? ''),
  }));
  return createDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, config: {}, values: rows.map(([, [time]]) => Math.round(time * 1000)) },
      ...columns.map((column) => ({ ...column, name: column.name! })),
      {
        name: onlyOne ? 'Value' : `Value #${target.refId}`,
        type: FieldType.number,
        config: {},
        values: rows.map(([, [, value]]) => number(value)),
      },
    ],
  });
}

const bound = (label: string | undefined) => (label === undefined ? NaN : number(label));

/**
 * A frame for each bucket of a histogram, from the lowest, with what is in it alone. Prometheus counts in each bucket
 * what is in those below as well.
 */
export function bucketFrames(target: Target, expr: string, answer: Series[], step?: number): DataFrame[] {
  const buckets = answer
    .filter(({ metric }) => !Number.isNaN(bound(metric.le)))
    .toSorted((a, b) => bound(a.metric.le) - bound(b.metric.le));
  const alone = buckets.map((bucket, index) => {
    const below = buckets[index - 1];
    // Of another histogram: a query that did not sum the others away.
    if (!below || bound(below.metric.le) === bound(bucket.metric.le)) return bucket;
    const counts = new Map(below.values.map(([time, value]) => [time, number(value)]));
    const values = bucket.values.map(([time, value]): Sample => {
      const rest = number(value) - (counts.get(time) ?? 0);
      // Rounding can leave less than nothing.
      return [time, String(Number.isNaN(rest) ? NaN : Math.max(0, rest))];
    });
    return { ...bucket, values };
  });
  return seriesFrames({ ...target, legendFormat: '{{le}}' }, expr, alone, step);
}
