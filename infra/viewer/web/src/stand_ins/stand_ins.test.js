import { createElement } from 'react';
import { expect, test } from 'vitest';
import { t, Trans } from './i18n';
import { compare, valid } from './semver';

test.each([
  ['Show all', 'Show all', undefined],
  ['3 of {{ all }}', '{{count}} of {{ all }}', { count: 3 }],
  ['1 row', 'rows', { count: 1, defaultValue_one: '{{count}} row', defaultValue_other: '{{count}} rows' }],
  ['0 rows', 'rows', { count: 0, defaultValue_one: '{{count}} row', defaultValue_other: '{{count}} rows' }],
])('"%s" is written', (written, text, values) => {
  expect(t('id', text, values)).toBe(written);
});

test('a text with elements in it has its values in their places', () => {
  const bold = createElement('b', null, 'all ', { total: 3 });

  const [before, element, after] = Trans({ children: ['Show ', bold, ' {{what}}'], values: { what: 'series' } });

  expect([before, element.type, element.props.children, after]).toEqual(['Show ', 'b', ['all ', '3'], ' series']);
});

test('versions are compared by their numbers', () => {
  expect(['10.2.0', '9.5.0', '10.10.0'].sort(compare)).toEqual(['9.5.0', '10.2.0', '10.10.0']);
  expect([valid('10.2.0'), valid('components')]).toEqual(['10.2.0', null]);
});
