// What Explore shows, as it stands in the address: /explore?expr=up&expr=…&from=now-15m&to=now&refresh=5s
import { LAST_15_MINUTES, type Span } from '../time';

export interface Asked {
  /** None is empty. */
  expressions: string[];
  span: Span;
  /** How often it is asked again: '5s'. '' for never. */
  refresh: string;
}

export function readAddress(parameters: URLSearchParams): Asked {
  const refresh = parameters.get('refresh') ?? '';
  return {
    expressions: parameters
      .getAll('expr')
      .map((expression) => expression.trim())
      .filter(Boolean),
    span: {
      from: parameters.get('from') || LAST_15_MINUTES.from,
      to: parameters.get('to') || LAST_15_MINUTES.to,
    },
    refresh: /^\d+(ms|[smhd])$/.test(refresh) ? refresh : '',
  };
}

export function writeAddress({ expressions, span, refresh }: Asked): URLSearchParams {
  const asked = expressions.filter((expression) => expression.trim() !== '');
  const parameters = new URLSearchParams(asked.map((expression) => ['expr', expression]));
  parameters.append('from', span.from);
  parameters.append('to', span.to);
  if (refresh) parameters.append('refresh', refresh);
  return parameters;
}
