// Reads PromQL as far as is needed to tell a query from other text.
import { parser } from '@prometheus-io/lezer-promql';

/** The metrics that an expression selects. Undefined if it is no PromQL. */
export function metricsOf(text: string): Set<string> | undefined {
  const metrics = new Set<string>();
  let valid = true;
  parser.parse(text).iterate({
    enter(node) {
      if (node.type.isError) valid = false;
      if (node.name === 'Identifier') metrics.add(text.slice(node.from, node.to));
    },
  });
  return valid ? metrics : undefined;
}

/** A query of a text for people, without the labels that they are to fill in: `up{job="..."}` asks for every job. */
export function withoutPlaceholders(query: string): string {
  return query.replace(/\b\w+\s*=~?\s*"(?:\.\.\.|…)"\s*,?\s*/g, '').replace(/\{\s*\}/g, '');
}

/** Whether text is a query of a metric that is known: `make` alone could be one, too. */
export function isQuery(text: string, known: ReadonlySet<string>): boolean {
  const metrics = metricsOf(text);
  return metrics !== undefined && [...metrics].some((metric) => known.has(metric));
}
