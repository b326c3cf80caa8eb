// The field for a query: completion of metrics, labels and functions, colours, and errors underlined.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { bracketMatching, syntaxHighlighting } from '@codemirror/language';
import { EditorState, Prec } from '@codemirror/state';
import { EditorView, keymap, placeholder } from '@codemirror/view';
import { useTheme2 } from '@grafana/ui';
import { PromQLExtension } from '@prometheus-io/codemirror-promql';
import { useEffect, useRef } from 'react';
import { colours, look } from './editor_theme';

interface Props {
  value: string;
  label: string;
  onChange: (value: string) => void;
  onRun: () => void;
}

// Completion asks for the flags, which the viewer's server does not pass on, and does without them.
const ask = (input: RequestInfo, init?: RequestInit): Promise<Response> =>
  String(input).includes('/status/flags')
    ? Promise.resolve(Response.json({ status: 'success', data: {} }))
    : fetch(input, init);

export function Editor({ value, label, onChange, onRun }: Props) {
  const theme = useTheme2();
  const parent = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  // The editor lives longer than one drawing, and calls what the latest one gave.
  const latest = useRef({ value, onChange, onRun });
  latest.current = { value, onChange, onRun };

  useEffect(() => {
    const promql = new PromQLExtension().setComplete({ remote: { url: '/api/prometheus', fetchFn: ask } });
    const run = () => {
      latest.current.onRun();
      return true;
    };
    const editor = new EditorView({
      parent: parent.current!,
      state: EditorState.create({
        doc: latest.current.value,
        extensions: [
          Prec.highest(
            keymap.of([
              { key: 'Shift-Enter', run },
              { key: 'Ctrl-Enter', run },
              { key: 'Mod-Enter', run },
            ]),
          ),
          history(),
          bracketMatching(),
          closeBrackets(),
          autocompletion({ icons: false }),
          keymap.of([...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, ...defaultKeymap]),
          promql.asExtension(),
          syntaxHighlighting(colours(theme)),
          look(theme),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ 'aria-label': label }),
          placeholder('A query in PromQL, for example: rate(orders_total[5m])'),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) latest.current.onChange(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = editor;
    return () => {
      editor.destroy();
      promql.destroy();
    };
  }, [theme, label]);

  useEffect(() => {
    const editor = view.current;
    const shown = editor?.state.doc.toString();
    if (editor && shown !== value)
      editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
  }, [value]);

  return <div ref={parent} />;
}
