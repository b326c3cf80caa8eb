// How the tests run: Grafana's packages import CommonJS ones by name, which Node does not take and Vite does.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    server: { deps: { inline: [/@grafana\//] } },
    setupFiles: ['./src/test_setup.ts'],
    // Loading those packages takes longer than all tests, so that it is done once.
    isolate: false,
    maxWorkers: 1,
  },
});
