// What of the rules is shown, as it stands in the address: /alerts?state=firing,pending&severity=critical&q=redis
import { type Filter, type State, STATES } from './rules';

const list = (text: string | null): string[] => (text ?? '').split(',').filter(Boolean);

export function readFilter(parameters: URLSearchParams): Filter {
  return {
    states: list(parameters.get('state')).filter((state): state is State => STATES.includes(state as State)),
    severities: list(parameters.get('severity')),
    text: parameters.get('q') ?? '',
  };
}

export function writeFilter({ states, severities, text }: Filter): URLSearchParams {
  const parameters = new URLSearchParams();
  if (states.length > 0) parameters.set('state', states.join(','));
  if (severities.length > 0) parameters.set('severity', severities.join(','));
  if (text) parameters.set('q', text);
  return parameters;
}

/** The list without the entry, or with it. */
export function toggled<T>(entries: T[], entry: T): T[] {
  return entries.includes(entry) ? entries.filter((other) => other !== entry) : [...entries, entry];
}
