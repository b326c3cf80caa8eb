// Changes the frames of a panel as its transformations say, by Grafana's own transformers.
import {
  type DataFrame,
  type DataTransformerConfig,
  type DataTransformerInfo,
  standardTransformers,
  standardTransformersRegistry,
  transformDataFrame,
  type TransformerRegistryItem,
} from '@grafana/data';
import { interpolate, type Lookup } from './interpolation';

const known = new Map(
  Object.values(standardTransformers).map((each) => [each.id as string, each as DataTransformerInfo]),
);

standardTransformersRegistry.setInit(() =>
  [...known.values()].map(
    (each) =>
      ({
        id: each.id,
        name: each.name,
        defaultOptions: each.defaultOptions,
        transformation: () => Promise.resolve(each),
      }) as unknown as TransformerRegistryItem,
  ),
);

/** The transformations that this viewer does not have. */
export function unknownTransformations(configs: DataTransformerConfig[] = []): string[] {
  return [...new Set(configs.filter(({ id, disabled }) => !disabled && !known.has(id)).map(({ id }) => id))];
}

export function transformed(
  data: DataFrame[],
  configs: DataTransformerConfig[] = [],
  lookup: Lookup,
): Promise<DataFrame[]> {
  const context = { interpolate: (text: string) => interpolate(text, lookup) };
  return new Promise((resolve, reject) => {
    transformDataFrame(configs, data, context).subscribe({ next: resolve, error: reject });
  });
}
