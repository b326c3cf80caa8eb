// What @grafana/data takes of a browser, for the tests, which run in Node.
(globalThis as unknown as Record<string, unknown>).navigator ??= { language: 'en-US', languages: ['en-US'] };
export {};
