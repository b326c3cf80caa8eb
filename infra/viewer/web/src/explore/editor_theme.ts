// How the editor looks in the light and the dark theme.
import { HighlightStyle } from '@codemirror/language';
import { EditorView } from '@codemirror/view';
import type { GrafanaTheme2 } from '@grafana/data';
import { tags } from '@lezer/highlight';

export function colours({ colors, visualization, isDark }: GrafanaTheme2): HighlightStyle {
  const colour = (name: string) => visualization.getColorByName(isDark ? `light-${name}` : `dark-${name}`);
  return HighlightStyle.define([
    { tag: [tags.keyword, tags.modifier, tags.operatorKeyword], color: colour('purple') },
    { tag: [tags.function(tags.variableName), tags.function(tags.name)], color: colour('blue') },
    { tag: tags.labelName, color: colour('orange') },
    { tag: tags.string, color: colour('green') },
    { tag: [tags.number, tags.bool], color: colour('red') },
    { tag: tags.operator, color: colors.text.primary },
    { tag: tags.comment, color: colors.text.secondary, fontStyle: 'italic' },
  ]);
}

export function look({ colors, components, isDark, shape, typography, shadows, zIndex }: GrafanaTheme2) {
  const { fontFamilyMonospace: mono, bodySmall } = typography;
  return EditorView.theme(
    {
      '&': {
        background: components.input.background,
        color: components.input.text,
        border: `1px solid ${components.input.borderColor}`,
        borderRadius: shape.radius.default,
      },
      '&.cm-focused': { outline: `2px solid ${colors.primary.main}`, outlineOffset: '-1px' },
      '.cm-scroller': { fontFamily: mono, fontSize: bodySmall.fontSize, lineHeight: '1.6' },
      '.cm-content': { caretColor: colors.text.primary, padding: '6px 0' },
      '.cm-cursor': { borderLeftColor: colors.text.primary },
      '.cm-placeholder': { color: colors.text.disabled },
      '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground, ::selection':
        {
          background: colors.action.selected,
        },
      '&.cm-focused .cm-matchingBracket': { background: colors.action.focus, outline: 'none' },
      '.cm-tooltip': {
        background: colors.background.elevated,
        color: colors.text.primary,
        border: `1px solid ${colors.border.medium}`,
        boxShadow: shadows.z3,
        zIndex: String(zIndex.dropdown),
      },
      '.cm-tooltip.cm-tooltip-autocomplete > ul': { fontFamily: mono, fontSize: bodySmall.fontSize, maxHeight: '16em' },
      '.cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]': {
        background: colors.action.selected,
        color: colors.text.primary,
      },
      '.cm-completionDetail': { color: colors.text.secondary, fontStyle: 'normal', marginLeft: '1em' },
      '.cm-completionMatchedText': { textDecoration: 'none', fontWeight: 'bold', color: colors.text.link },
      '.cm-diagnostic': { fontFamily: typography.fontFamily },
    },
    { dark: isDark },
  );
}
