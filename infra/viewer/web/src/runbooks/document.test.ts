import { expect, test } from 'vitest';
import { readDocument, target } from './document';

const MARKDOWN = `# Runbooks

Before.

## CircuitBreakerTripped

**What it means.** Trading has stopped.

- \`up\`

### Part

## DailyLossExceeded

More.
`;

test('a document has a section for each alert, and each knows its anchor', () => {
  const { head, sections } = readDocument(MARKDOWN);
  expect(head.filter((token) => token.type !== 'space').map((token) => token.type)).toEqual(['heading', 'paragraph']);
  expect(sections.map(({ name, id }) => [name, id])).toEqual([
    ['CircuitBreakerTripped', 'circuitbreakertripped'],
    ['DailyLossExceeded', 'dailylossexceeded'],
  ]);
  const types = sections[0]!.tokens.map((token) => token.type).filter((type) => type !== 'space');
  expect(types).toEqual(['paragraph', 'list', 'heading']);
});

test('a document without sections is only a head', () => {
  expect(readDocument('text').sections).toEqual([]);
});

test.each([
  ['http://127.0.0.1:8002/health', { elsewhere: 'http://127.0.0.1:8002/health' }],
  ['http://127.0.0.1:9090', { page: '/explore' }],
  ['http://127.0.0.1:9090/rules', { page: '/explore' }],
  ['#Watchdog', { page: '/runbooks#watchdog' }],
  ['prometheus-alerts.md#watchdog', { page: '/runbooks#watchdog' }],
  ['#unknown', undefined],
  ['../DRILLS.md#redis', { file: 'docs/DRILLS.md' }],
  ['other.md', { file: 'docs/RUNBOOKS/other.md' }],
  ['../../infra/prometheus/alerts.yml', { file: 'infra/prometheus/alerts.yml' }],
  ['javascript:alert(1)', undefined],
  ['//evil.example/x', undefined],
])('the link %s leads to %j', (href, expected) => {
  expect(target(href, new Set(['watchdog']))).toEqual(expected);
});
