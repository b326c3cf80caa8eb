// What must stand before any component of Grafana's is loaded.
import { initPluginTranslations } from '@grafana/i18n';

declare global {
  interface Window {
    __grafana_public_path__?: string;
  }
}

// Where icons and fonts are: without it they are looked for beside the page that is open.
window.__grafana_public_path__ = '/public/';

/** Components raise when they are drawn before this has ended. */
export const started: Promise<unknown> = initPluginTranslations('viewer', []);
