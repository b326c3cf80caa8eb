// What must stand before any component of Grafana's is loaded.

declare global {
  interface Window {
    __grafana_public_path__?: string;
  }
}

// Where icons and fonts are: without it they are looked for beside the page that is open.
window.__grafana_public_path__ = '/public/';

export {};
