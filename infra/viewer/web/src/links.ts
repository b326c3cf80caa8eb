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

// What of the time before and after an alert its dashboard shows, in milliseconds.
const AROUND = 5 * 60_000;

/**
 * Where the dashboard of an alert is: here, if it is an address of Grafana's, else there. Undefined as above. `at` is
 * when the alert began and ended, in milliseconds: the dashboard shows the time around it, unless its address names one.
 */
export function dashboardLink(address: string | undefined, at?: { from: number; to?: number }): string | undefined {
  const own = address?.match(DASHBOARD);
  if (own) {
    // What is still a template has no values to select yet.
    const parameters = new URLSearchParams(own[2]?.includes('{{') ? '' : own[2]);
    if (at && Number.isFinite(at.from) && !parameters.has('from')) {
      parameters.set('from', String(at.from - AROUND));
      parameters.set('to', at.to === undefined ? 'now' : String(at.to + AROUND));
    }
    return `${own[1]}${parameters.size > 0 ? `?${parameters}` : ''}`;
  }
  return address?.match(/^https?:\/\//) ? address : undefined;
}
