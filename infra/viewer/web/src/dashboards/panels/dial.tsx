// One value on a dial: three quarters of a ring, its limits as a thin ring around it.
import { type FieldDisplay, formattedValueToString, getActiveThreshold, ThresholdsMode } from '@grafana/data';
import { useTheme2 } from '@grafana/ui';
import { arc, partOf, point } from './arc';

interface Props {
  value: FieldDisplay;
  width: number;
  height: number;
  showName: boolean;
  showSteps: boolean;
  showLimits: boolean;
}

export function Dial({ value, width, height, showName, showSteps, showLimits }: Props) {
  const theme = useTheme2();
  const { field, display } = value;
  const [min, max] = [field.min ?? 0, field.max ?? 100];
  const name = showName ? (display.title ?? '') : '';
  const nameHeight = name ? 18 : 0;
  const outer = Math.max(10, Math.min(width / 2, (height - nameHeight) / 1.55) - (showLimits ? 14 : 4));
  const thick = Math.max(4, outer * 0.22);
  const ring = showSteps ? outer * 0.06 : 0;
  const radius = outer - ring - 2 - thick / 2;
  const [x, y] = [width / 2, (height - nameHeight) / 2 + outer * 0.22];
  const part = partOf(display.numeric, min, max);
  const color = display.color ?? theme.colors.primary.main;
  const text = formattedValueToString(display);
  const size = Math.min(radius * 0.5, (radius * 2.4) / Math.max(3, text.length));
  const steps = field.thresholds?.steps ?? [];
  const relative = field.thresholds?.mode === ThresholdsMode.Percentage;
  const at = (limit: number) => (relative ? partOf(limit) : partOf(limit, min, max));
  return (
    <svg width={width} height={height} role="img" aria-label={`${name} ${text}`.trim()}>
      <path d={arc(0, 1, radius, x, y)} fill="none" stroke={theme.colors.background.secondary} strokeWidth={thick} />
      {part > 0 && <path d={arc(0, part, radius, x, y)} fill="none" stroke={color} strokeWidth={thick} />}
      {showSteps &&
        steps.map((step, index) => {
          const [from, to] = [
            Number.isFinite(step.value) ? at(step.value) : 0,
            steps[index + 1] ? at(steps[index + 1]!.value) : 1,
          ];
          if (to <= from) return null;
          return (
            <path
              key={step.value}
              d={arc(from, to, outer - ring / 2, x, y)}
              fill="none"
              stroke={theme.visualization.getColorByName(getActiveThreshold(step.value, steps).color)}
              strokeWidth={ring}
            />
          );
        })}
      {showLimits &&
        steps
          .filter((step) => Number.isFinite(step.value) && step.value > min && step.value < max)
          .map((step) => {
            const [left, top] = point(at(step.value), outer + 8, x, y);
            return (
              <text
                key={step.value}
                x={left}
                y={top}
                fontSize={10}
                textAnchor="middle"
                fill={theme.colors.text.secondary}
              >
                {step.value}
              </text>
            );
          })}
      <text
        x={x}
        y={y + size * 0.35}
        fontSize={size}
        fontWeight={theme.typography.fontWeightMedium}
        textAnchor="middle"
        fill={color}
      >
        {text}
      </text>
      {name && (
        <text x={x} y={height - 5} fontSize={13} textAnchor="middle" fill={theme.colors.text.primary}>
          {name}
        </text>
      )}
    </svg>
  );
}
