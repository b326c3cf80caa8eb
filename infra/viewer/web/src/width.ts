// How wide an element is, for what must be drawn to size.
import { useCallback, useState } from 'react';

/** What to give the element as `ref`, and its width in pixels: 0 until it is there. */
export function useWidth(): [(element: HTMLElement | null) => (() => void) | undefined, number] {
  const [width, setWidth] = useState(0);
  const ref = useCallback((element: HTMLElement | null) => {
    if (!element) return undefined;
    setWidth(Math.floor(element.clientWidth)); // at once: the observer tells it a frame later
    const observer = new ResizeObserver(() => setWidth(Math.floor(element.clientWidth)));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [ref, width];
}
