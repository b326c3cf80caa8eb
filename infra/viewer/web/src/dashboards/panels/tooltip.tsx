// The time under the pointer, and what each series was then.
import { type DataFrame, dateTimeFormat, type Field, FieldType, type LinkModel } from '@grafana/data';
import { SortOrder, TooltipDisplayMode } from '@grafana/schema';
import {
  getFieldDisplayItems,
  VizTooltipContent,
  VizTooltipFooter,
  VizTooltipHeader,
  type VizTooltipItem,
  VizTooltipWrapper,
} from '@grafana/ui';

/** A time as tooltips have it, with milliseconds only where there are some. */
export function timeText(time: number, timeZone: string): string {
  return dateTimeFormat(time, { timeZone, format: time % 1000 ? 'YYYY-MM-DD HH:mm:ss.SSS' : 'YYYY-MM-DD HH:mm:ss' });
}

interface Props {
  time: number;
  items: VizTooltipItem[];
  timeZone: string;
  links?: LinkModel<Field>[];
}

export function Tooltip({ time, items, timeZone, links = [] }: Props) {
  return (
    <VizTooltipWrapper>
      <VizTooltipHeader item={{ label: '', value: timeText(time, timeZone) }} />
      <VizTooltipContent items={items} scrollable maxHeight={400} />
      {links.length > 0 && <VizTooltipFooter dataLinks={links} />}
    </VizTooltipWrapper>
  );
}

interface Series {
  frame: DataFrame;
  indices: (number | null)[];
  /** The series that is nearest to the pointer. */
  nearest: number | null;
  options: { mode?: string; sort?: string } | undefined;
  timeZone: string;
  /** What fires at a time, by name. */
  alertsAt?: ((time: number) => string[]) | undefined;
  /** Of a value of a series: shown once the tooltip stays, so that they can be reached. */
  linksOf?: ((field: Field, row: number) => LinkModel<Field>[]) | undefined;
}

export function SeriesTooltip({ frame, indices, nearest, options, timeZone, alertsAt, linksOf }: Series) {
  const [xField] = frame.fields;
  const index = indices.slice(1).find((each) => each !== null && each !== undefined) ?? indices[0];
  if (!xField || index === null || index === undefined) return null;
  const single = options?.mode === TooltipDisplayMode.Single;
  const shown = (field: Field) =>
    (field.type === FieldType.number || field.type === FieldType.enum) && !field.config.custom?.hideFrom?.tooltip;
  const sort = { asc: SortOrder.Ascending, desc: SortOrder.Descending }[options?.sort ?? ''] ?? SortOrder.None;
  const items = getFieldDisplayItems(
    frame.fields,
    xField,
    indices,
    nearest,
    single ? TooltipDisplayMode.Single : TooltipDisplayMode.Multi,
    sort,
    shown,
  );
  const time = (single && nearest !== null ? indices[nearest] : index) ?? index;
  const field = nearest === null ? undefined : frame.fields[nearest];
  const row = nearest === null ? undefined : indices[nearest];
  const links = linksOf && field && typeof row === 'number' ? linksOf(field, row) : [];
  const at = xField.values[time];
  const alerts = (alertsAt?.(at) ?? []).map((name): VizTooltipItem => ({ label: 'Alert', value: name, color: 'red' }));
  return <Tooltip time={at} items={[...items, ...alerts]} timeZone={timeZone} links={links} />;
}
