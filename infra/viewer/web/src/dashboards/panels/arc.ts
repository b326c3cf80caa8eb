// The geometry of a dial.

const [START, SWEEP] = [-120, 240]; // degrees, from the top

/** Where a part of the dial is, from 0 to 1, as a point of a circle. */
export function point(part: number, radius: number, x: number, y: number): [number, number] {
  const angle = ((START + part * SWEEP) * Math.PI) / 180;
  return [x + radius * Math.sin(angle), y - radius * Math.cos(angle)];
}

/** The path of a piece of the ring. */
export function arc(from: number, to: number, radius: number, x: number, y: number): string {
  const [[x1, y1], [x2, y2]] = [point(from, radius, x, y), point(to, radius, x, y)];
  const large = (to - from) * SWEEP > 180 ? 1 : 0;
  return `M ${x1.toFixed(2)} ${y1.toFixed(2)} A ${radius} ${radius} 0 ${large} 1 ${x2.toFixed(2)} ${y2.toFixed(2)}`;
}

/** The part of the dial that a value fills. Without limits, a dial goes from 0 to 100. */
export function partOf(value: number, min = 0, max = 100): number {
  if (!(max > min) || Number.isNaN(value)) return 0;
  return Math.max(0, Math.min(1, (value - min) / (max - min)));
}
