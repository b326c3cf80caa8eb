// Where the panels of a dashboard are: rows that open and close, panels that are repeated, and nothing overlapping.
import type { Grid, Panel } from './model';
import { expanded, type Variable } from './variables';
import { lookupOf, type Lookup } from './interpolation';

export const COLUMNS = 24;

export interface Placed {
  key: string;
  panel: Panel;
  grid: Grid;
  /** The value of a repeated panel's variable, for its queries and its title. */
  own?: Lookup;
  /** Of a row: whether its panels are shown. */
  open?: boolean;
}

interface Section {
  row?: Panel;
  panels: Panel[];
  key: string;
  own?: Lookup;
}

const byPlace = (a: Panel, b: Panel) => a.gridPos.y - b.gridPos.y || a.gridPos.x - b.gridPos.x;

/** A row and the panels that follow it, as people see them: those of a closed row are inside of it in the file. */
function sections(panels: Panel[]): Section[] {
  const found: Section[] = [{ panels: [], key: '' }];
  for (const panel of panels.toSorted(byPlace)) {
    if (panel.type !== 'row') found.at(-1)!.panels.push(panel);
    else found.push({ row: panel, panels: panel.collapsed ? (panel.panels ?? []) : [], key: `row-${panel.id}` });
  }
  return found.filter(({ row, panels }) => row || panels.length > 0);
}

const both = (first: Lookup | undefined, second: Lookup | undefined): Lookup | undefined =>
  first && second ? (name) => first(name) ?? second(name) : (first ?? second);

function repeated<T>(
  name: string | null | undefined,
  variables: Variable[],
  make: (own: Lookup | undefined, suffix: string, index: number) => T,
): T[] {
  const variable = name ? variables.find(({ definition }) => definition.name === name) : undefined;
  if (!variable) return [make(undefined, '', 0)];
  const values = expanded(variable);
  return (values.length > 0 ? values : ['']).map((value, index) => {
    const text = variable.options.find((option) => option.value === value)?.text ?? value;
    const plain = lookupOf({ [name!]: value });
    const own: Lookup = (asked) => {
      const found = plain(asked);
      // Queries compare with =~ where several can be selected.
      return found && { ...found, text, pattern: Boolean(variable.definition.multi || variable.definition.includeAll) };
    };
    return make(own, `-${value}`, index);
  });
}

function repeatedPanels(panel: Panel, variables: Variable[], own: Lookup | undefined, key: string): Placed[] {
  const copies = repeated(panel.repeat, variables, (mine, suffix): Placed => {
    const lookup = both(mine, own);
    return {
      key: `${key}panel-${panel.id}${suffix}`,
      panel,
      grid: { ...panel.gridPos },
      ...(lookup && { own: lookup }),
    };
  });
  if (!panel.repeat) return copies;
  const across = Math.min(copies.length, panel.maxPerRow || 4);
  copies.forEach((copy, index) => {
    const { y, h, x } = panel.gridPos;
    if (panel.repeatDirection === 'v') copy.grid = { ...panel.gridPos, x, y: y + index * h };
    else {
      const w = Math.floor(COLUMNS / across);
      copy.grid = { w, h, x: (index % across) * w, y: y + Math.floor(index / across) * h };
    }
  });
  return copies;
}

/** Moves each panel up until it meets another, in the order in which they are read. Returns where the next ones begin. */
function settled(placed: Placed[], top: number): number {
  const heights = new Array<number>(COLUMNS).fill(top);
  for (const each of placed) {
    const x = Math.max(0, Math.min(each.grid.x, COLUMNS - 1));
    const w = Math.max(1, Math.min(each.grid.w, COLUMNS - x));
    const y = Math.max(...heights.slice(x, x + w));
    each.grid = { x, w, h: each.grid.h, y };
    heights.fill(y + each.grid.h, x, x + w);
  }
  return Math.max(...heights);
}

/** Every panel that is shown, with its place. `toggled` are the rows that a person opened or closed. */
export function place(panels: Panel[], variables: Variable[], toggled: ReadonlySet<string>): Placed[] {
  const result: Placed[] = [];
  let top = 0;
  const all = sections(panels).flatMap((section) =>
    repeated(section.row?.repeat, variables, (own, suffix): Section => {
      return { ...section, key: section.key + suffix, ...(own && { own }) };
    }),
  );
  for (const { row, panels: inside, key, own } of all) {
    const open = !row || Boolean(row.collapsed) === toggled.has(key);
    if (row) {
      const grid = { x: 0, y: top, w: COLUMNS, h: 1 };
      result.push({ key, panel: row, grid, open, ...(own && { own }) });
      top += 1;
    }
    if (!open) continue;
    const shown = inside.toSorted(byPlace).flatMap((panel) => repeatedPanels(panel, variables, own, key && `${key}-`));
    top = settled(shown, top);
    result.push(...shown);
  }
  return result;
}

const ROW = 30;
export const GAP = 8;
/** Below that, panels are under each other. */
const NARROW = 769;

const rowsHigh = (rows: number) => rows * (ROW + GAP) - GAP;

/** Whether a panel is in a window that shows the top of the dashboard. */
export const isFirst = (top: number) => top < window.innerHeight;

export interface Box {
  placed: Placed;
  left: number;
  top: number;
  width: number;
  height: number;
}

/** How high a panel is that has the whole width of a small screen. */
function heightAlone({ panel, grid }: Placed): number {
  if (panel.type === 'row') return ROW;
  // A narrow one shows a single value, which needs no more.
  if (panel.type === 'stat') return rowsHigh(grid.w >= 8 ? Math.min(grid.h, 5) : 3);
  return Math.min(Math.max(rowsHigh(grid.h), 220), 460);
}

export function boxesOf(placed: Placed[], width: number): Box[] {
  if (width < NARROW - 2 * GAP) {
    let top = 0;
    return placed.map((each) => {
      const height = heightAlone(each);
      const box = { placed: each, left: 0, top, width, height };
      top += height + GAP;
      return box;
    });
  }
  const column = (width + GAP) / COLUMNS;
  return placed.map((each) => ({
    placed: each,
    left: Math.round(each.grid.x * column),
    top: each.grid.y * (ROW + GAP),
    width: Math.round((each.grid.x + each.grid.w) * column) - Math.round(each.grid.x * column) - GAP,
    height: rowsHigh(each.grid.h),
  }));
}
