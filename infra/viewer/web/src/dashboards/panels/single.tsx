// Panels that show one value of each series: stat, bar gauge, gauge.
import { css } from '@emotion/css';
import {
  type FieldDisplay,
  getDisplayValueAlignmentFactors,
  getFieldDisplayValues,
  type DisplayValueAlignmentFactors,
  VizOrientation,
} from '@grafana/data';
import { BarGaugeDisplayMode, BarGaugeNamePlacement, BarGaugeValueMode } from '@grafana/schema';
import {
  BarGauge,
  BigValue,
  BigValueColorMode,
  BigValueGraphMode,
  BigValueJustifyMode,
  BigValueTextMode,
  DataLinksContextMenu,
  useTheme2,
  VizRepeater,
} from '@grafana/ui';
import { type ComponentProps, type ReactElement, useMemo } from 'react';
import { useShown } from '../context';
import { configOf, dataLinks, replacer } from '../fields';
import type { Drawing } from './drawing';
import { Dial } from './dial';
import { Message } from './message';

/** The values that a panel shows, reduced from its series. */
export function useValues({ panel, frames, lookup, timeZone }: Drawing, sparkline = false): FieldDisplay[] {
  const theme = useTheme2();
  return useMemo(() => {
    const { calcs, values = false, fields = '', limit } = panel.options?.reduceOptions ?? {};
    return getFieldDisplayValues({
      data: frames,
      fieldConfig: configOf(panel),
      reduceOptions: { calcs: calcs?.length ? calcs : ['lastNotNull'], values, fields, limit },
      replaceVariables: replacer(lookup),
      theme,
      timeZone,
      sparkline,
    });
  }, [panel, frames, lookup, theme, timeZone, sparkline]);
}

const orientationOf = (written: unknown): VizOrientation =>
  written === 'horizontal'
    ? VizOrientation.Horizontal
    : written === 'vertical'
      ? VizOrientation.Vertical
      : VizOrientation.Auto;

/** Whether there is nothing, and the panel does not say what to write in that case. */
const nothing = ({ frames, panel }: Drawing) =>
  panel.fieldConfig?.defaults?.noValue === undefined && !frames.some(({ length }) => length > 0);

type Repeater = ComponentProps<typeof VizRepeater<FieldDisplay, DisplayValueAlignmentFactors>>;
type Layout = Pick<Repeater, 'itemSpacing' | 'orientation' | 'renderValue'> & Partial<Repeater>;

/** The values beside or below each other, as it fits. */
function Each({ drawing, values, ...layout }: { drawing: Drawing; values: FieldDisplay[] } & Layout) {
  if (nothing(drawing)) return <Message>No data</Message>;
  return (
    <VizRepeater<FieldDisplay, DisplayValueAlignmentFactors>
      getValues={() => values}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      source={values}
      renderCounter={0}
      width={drawing.width}
      height={drawing.height}
      {...layout}
    />
  );
}

/** A value that is itself a link, if it has one; with several, it opens a menu of them. */
function Linked({ value, drawing, children }: { value: FieldDisplay; drawing: Drawing; children: ReactElement }) {
  const { goTo } = useShown();
  const frame = value.view?.dataFrame;
  const field = frame?.fields[value.colIndex ?? 0];
  if (!frame || !field?.config.links?.length) return children;
  const links = dataLinks(field, frame, value.rowIndex ?? 0, drawing.lookup, goTo).map(({ onClick, ...link }) => ({
    ...link,
    ...(onClick && {
      onClick: (event: React.MouseEvent) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        goTo(link.href);
      },
    }),
  }));
  return (
    <DataLinksContextMenu links={() => links}>
      {({ targetClassName, triggerProps }) =>
        triggerProps ? (
          <div className={targetClassName} {...triggerProps}>
            {children}
          </div>
        ) : (
          children
        )
      }
    </DataLinksContextMenu>
  );
}

const [LOW, MARGIN] = [40, 7];
const LOWERED = css({ marginTop: -MARGIN });

export function StatPanel(drawing: Drawing) {
  const theme = useTheme2();
  const options = drawing.panel.options ?? {};
  const graph = (options.graphMode ?? BigValueGraphMode.Area) as BigValueGraphMode;
  const values = useValues(drawing, graph !== BigValueGraphMode.None);
  // The component keeps a margin that would leave no height for the letters of the lowest panels.
  const margin = drawing.height < LOW && !String(options.colorMode).startsWith('background') ? MARGIN : 0;
  return (
    <Each
      drawing={drawing}
      values={values}
      itemSpacing={3}
      orientation={orientationOf(options.orientation)}
      autoGrid
      renderValue={({ value, alignmentFactors, count, ...size }) => (
        <Linked value={value} drawing={drawing}>
          <BigValue
            width={size.width}
            height={size.height + 2 * margin}
            {...(margin > 0 && { className: LOWERED })}
            theme={theme}
            value={value.display}
            count={count}
            sparkline={value.sparkline}
            // Alone, it leaves no room for a name that is not shown.
            {...(count > 1 && { alignmentFactors })}
            colorMode={(options.colorMode ?? 'value') as BigValueColorMode}
            graphMode={graph}
            justifyMode={(options.justifyMode ?? 'auto') as BigValueJustifyMode}
            textMode={(options.textMode ?? 'auto') as BigValueTextMode}
            text={options.text}
            disableWideLayout={options.wideLayout === false}
          />
        </Linked>
      )}
    />
  );
}

const SPACING = 6;
const LEAST_SPACING = 2;
// Below that, the bars have no place beside a long name.
const NARROW = 300;

export function BarGaugePanel(drawing: Drawing) {
  const theme = useTheme2();
  const options = drawing.panel.options ?? {};
  const values = useValues(drawing);
  const { width, height } = drawing;
  const orientation = orientationOf(options.orientation);
  const upright = orientation === VizOrientation.Vertical || (orientation === VizOrientation.Auto && width > height);
  const least = options.minVizHeight ?? 16;
  // Rather closer to each other than half a bar at the end that nobody sees without scrolling.
  const spacing = upright || values.length * (least + SPACING) <= height ? SPACING : LEAST_SPACING;
  return (
    <Each
      drawing={drawing}
      values={values}
      itemSpacing={spacing}
      minVizWidth={options.minVizWidth ?? 8}
      minVizHeight={least}
      maxVizHeight={options.maxVizHeight ?? 300}
      orientation={upright && width < NARROW ? VizOrientation.Horizontal : orientation}
      renderValue={({ value, alignmentFactors, count, ...size }) => (
        <Linked value={value} drawing={drawing}>
          <BarGauge
            {...size}
            theme={theme}
            value={value.display}
            field={value.field}
            display={value.view?.getFieldDisplayProcessor(value.colIndex ?? 0)}
            text={options.text}
            alignmentFactors={alignmentFactors}
            itemSpacing={spacing}
            lcdCellWidth={8}
            displayMode={(options.displayMode ?? 'gradient') as BarGaugeDisplayMode}
            valueDisplayMode={(options.valueMode ?? 'color') as BarGaugeValueMode}
            namePlacement={(options.namePlacement ?? 'auto') as BarGaugeNamePlacement}
            showUnfilled={options.showUnfilled ?? true}
          />
        </Linked>
      )}
    />
  );
}

export function GaugePanel(drawing: Drawing) {
  const options = drawing.panel.options ?? {};
  const values = useValues(drawing);
  return (
    <Each
      drawing={drawing}
      values={values}
      itemSpacing={SPACING}
      orientation={orientationOf(options.orientation)}
      autoGrid
      renderValue={({ value, count, ...size }) => (
        <Dial
          {...size}
          value={value}
          showName={count > 1 || Boolean(drawing.panel.fieldConfig?.defaults?.displayName)}
          showSteps={options.showThresholdMarkers ?? true}
          showLimits={options.showThresholdLabels ?? false}
        />
      )}
    />
  );
}
