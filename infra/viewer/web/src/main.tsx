// The entry: prepares Grafana's components, then draws the page.
import { started } from './start';

await started;
const { draw } = await import('./page');
draw(document.getElementById('root')!);
