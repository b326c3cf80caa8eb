// What this viewer has and what it does not, so that nothing is left out without a word.
import { unknownMatchers } from './fields';
import { isQueried, type Panel } from './model';
import { unknownTransformations } from './transformations';

const isDrawn = (type: string) => isQueried(type) || type === 'text' || type === 'row';

/** Why nothing of a panel is drawn, in sentences. `sources` are those that this viewer does not have. */
export function missing(panel: Panel, sources: string[], asks: boolean): string[] {
  const { type, libraryPanel } = panel;
  if (libraryPanel && !panel.targets)
    return [`The panel '${libraryPanel.name ?? ''}' is in a library of panels, which this viewer does not have.`];
  if (!isDrawn(type)) return [`This viewer does not draw panels of the type '${type}'.`];
  return [
    ...(asks ? [] : foreign(sources)),
    ...unknownTransformations(panel.transformations).map(
      (id) => `This viewer does not have the transformation '${id}'.`,
    ),
  ];
}

/** What is left out of a panel that is drawn. */
export function leftOut(panel: Panel, sources: string[]): string[] {
  return [
    ...foreign(sources),
    ...unknownMatchers(panel).map((id) => `This viewer does not have overrides of the kind '${id}'.`),
  ];
}

const foreign = (sources: string[]) => sources.map((source) => `This viewer does not ask the data source '${source}'.`);
