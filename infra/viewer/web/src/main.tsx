// The entry: prepares Grafana's components, then draws the page.
import { prepare, uidIn } from './dashboards/load';
import { started } from './start';

const path = window.location.pathname;
prepare(path);
// All at once, not one after the other.
if (uidIn(path) !== undefined) void import('./dashboards/page');
const page = import('./page');
await started;
(await page).draw(document.getElementById('root')!);
