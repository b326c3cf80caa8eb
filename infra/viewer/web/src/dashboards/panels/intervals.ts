// For how long a series was in each of its states.

export interface StateInterval<T = unknown> {
  /** In milliseconds. */
  from: number;
  to: number;
  value: T;
}

/**
 * The intervals of a series, in milliseconds. A state lasts until the next sample, or for one step where there is none:
 * what nobody measured has no state. `merge` joins neighbours of the same value.
 */
export function stateIntervals<T>(
  times: number[],
  values: (T | null | undefined)[],
  step: number,
  end: number,
  merge = true,
): StateInterval<T>[] {
  const found: StateInterval<T>[] = [];
  times.forEach((time, index) => {
    const value = values[index];
    if (value === null || value === undefined || Number.isNaN(value)) return;
    const next = times[index + 1];
    const until = Math.min(next !== undefined && next - time <= step * 1.5 ? next : time + step, end);
    if (until <= time) return;
    const last = found.at(-1);
    if (merge && last && last.value === value && last.to >= time) last.to = until;
    else found.push({ from: time, to: until, value });
  });
  return found;
}

/** The interval in which a time is. */
export function intervalAt<T>(intervals: StateInterval<T>[], time: number): StateInterval<T> | undefined {
  return intervals.find(({ from, to }) => from <= time && time < to);
}
