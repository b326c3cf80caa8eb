// Which panels are on the screen, or soon will be.
import { type RefObject, useEffect, useState } from 'react';

// How far outside of the window a panel is asked and drawn, in pixels.
const MARGIN = 400;

/** Whether it is so now, and whether it ever was. `first` is what is known before the element is there. */
export function useInView(element: RefObject<HTMLElement | null>, first: boolean): { inView: boolean; seen: boolean } {
  const [state, setState] = useState({ inView: first, seen: first });
  useEffect(() => {
    const observer = new IntersectionObserver(
      ([entry]) => {
        const inView = Boolean(entry?.isIntersecting);
        setState((before) => (before.inView === inView ? before : { inView, seen: before.seen || inView }));
      },
      { rootMargin: `${MARGIN}px 0px` },
    );
    observer.observe(element.current!);
    return () => observer.disconnect();
  }, [element]);
  return state;
}
