// When the panels are asked anew: at the interval that a person chose, while somebody looks.
import { useCallback, useEffect, useState } from 'react';
import { useOutage } from '../reach';
import { seconds } from './interval';

// How soon it is seen that Prometheus is there again, also where nothing is refreshed.
const RETRY_SECONDS = 5;

/** The number of the refresh, and what starts one now. `interval` is '' for none. */
export function useRounds(interval: string): [number, () => void] {
  const [round, setRound] = useState(0);
  const next = useCallback(() => setRound((before) => before + 1), []);
  const away = useOutage() !== undefined;
  const chosen = seconds(interval);
  const every = away ? Math.min(chosen || Infinity, RETRY_SECONDS) : chosen;

  useEffect(() => {
    if (!every) return;
    let timer: ReturnType<typeof setInterval> | undefined;
    const pause = () => {
      clearInterval(timer);
      timer = undefined;
    };
    const follow = (now: boolean) => {
      if (document.hidden) return pause();
      if (timer) return;
      if (now) next();
      timer = setInterval(next, every * 1000);
    };
    const changed = () => follow(true);
    follow(false);
    document.addEventListener('visibilitychange', changed);
    return () => {
      document.removeEventListener('visibilitychange', changed);
      pause();
    };
  }, [every, next]);
  return [round, next];
}
