// A component whose file is loaded when it is first drawn.
import { type ComponentType, useEffect, useState } from 'react';

type Load<P> = () => Promise<{ default: ComponentType<P> }>;

/**
 * Nothing is drawn until it is there. React's own `lazy` does the same, and then shows it up to 300 ms late, so that
 * placeholders do not flicker: there is none here. `load` of the result starts to load it before it is drawn.
 */
export function loaded<P extends object>(load: Load<P>): ComponentType<P> & { load: () => Promise<void> } {
  let found: ComponentType<P> | undefined;
  const find = async () => {
    found = (await load()).default;
  };
  function Loaded(props: P) {
    const [, redraw] = useState({});
    useEffect(() => {
      if (found) return;
      find().then(
        () => redraw({}),
        (error: unknown) =>
          redraw(() => {
            throw error;
          }),
      );
    }, []);
    const Found = found;
    return Found ? <Found {...props} /> : null;
  }
  return Object.assign(Loaded, { load: find });
}
