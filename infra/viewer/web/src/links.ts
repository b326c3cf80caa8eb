// Addresses of this viewer's own pages.

const RUNBOOK = /^(?:https?:\/\/[^/?#]+|\{\{\s*\$externalLabels\.runbooks\s*\}\}|)(?:\/runbooks)?#([\w-]+)$/;

const DASHBOARD = /^(?:https?:\/\/[^/?#]+|\{\{\s*\$externalLabels\.\w+\s*\}\}|)(\/d\/[\w-]+(?:\/[\w-]+)?)(\?[^#]*)?$/;

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

/** Where the dashboard of an alert is: here, if it is an address of Grafana's, else there. Undefined as above. */
export function dashboardLink(address: string | undefined): string | undefined {
  const own = address?.match(DASHBOARD);
  // What is still a template has no values to select yet.
  if (own) return `${own[1]}${own[2]?.includes('{{') ? '' : (own[2] ?? '')}`;
  return address?.match(/^https?:\/\//) ? address : undefined;
}
