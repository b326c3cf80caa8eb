// Addresses of this viewer's own pages.

const RUNBOOK = /^(?:https?:\/\/[^/?#]+|\{\{\s*\$externalLabels\.runbooks\s*\}\}|)(?:\/runbooks)?#([\w-]+)$/;

/** Where Explore shows these expressions. `from` and `to` as in Grafana: 'now-15m' or milliseconds. */
export function exploreLink(expressions: string[], from = 'now-15m', to = 'now'): string {
  const parameters = new URLSearchParams(expressions.map((expression) => ['expr', expression]));
  parameters.append('from', from);
  parameters.append('to', to);
  return `/explore?${parameters}`;
}

/**
 * Where the runbook of an alert is: here, if the address is one of the runbooks that the pager serves, else there.
 * Undefined if it is no address that may be followed: any other could run a script.
 */
export function runbookLink(address: string | undefined): string | undefined {
  const own = address?.match(RUNBOOK);
  if (own) return `/runbooks#${own[1]!.toLowerCase()}`;
  return address?.match(/^https?:\/\//) ? address : undefined;
}
