// The entry: asks what a dashboard shows first, then loads the components, then draws the page.
import { prepare, uidIn } from './dashboards/load';
import './start';

const uid = uidIn(window.location.pathname);
if (uid !== undefined) {
  const early = import('./dashboards/early');
  // To run the components takes longer than Prometheus takes to answer.
  await prepare(uid, async (dashboard) => (await early).askedEarly(dashboard, window.location.search));
}
const page = await import('./page');
if (uid !== undefined) await page.loadDashboards();
page.draw(document.getElementById('root')!);
