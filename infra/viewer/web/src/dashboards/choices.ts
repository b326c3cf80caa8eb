// What a choice of one changes in what is chosen already.
import { ALL } from './variables';

/** What a click on a series in the legend leaves: that one alone, without `one` that one more or less, again: all of them. */
export function chosenSeries(
  before: string[] | undefined,
  label: string | string[] | null,
  one: boolean,
  all: string[],
): string[] | undefined {
  if (label === null) return undefined;
  if (Array.isArray(label)) return label;
  if (!one) {
    const current = before ?? all;
    const next = current.includes(label) ? current.filter((name) => name !== label) : [...current, label];
    return next.length === 0 || all.every((name) => next.includes(name)) ? undefined : next;
  }
  return before?.length === 1 && before[0] === label ? undefined : [label];
}

/** "All" and single values do not go together: what was chosen last stays. Nothing at all is "all". */
export function chosenValues(before: string[], now: string[], includeAll: boolean): string[] {
  if (!includeAll) return now;
  if (now.length === 0) return [ALL];
  if (now.includes(ALL)) return before.includes(ALL) ? now.filter((value) => value !== ALL) : [ALL];
  return now;
}
