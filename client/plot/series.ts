/** What was measured at one moment of a training. */
export interface SeriesPoint {
  readonly epoch: number;
  readonly value: number;
}

/** A line of a plot. */
export interface Series {
  readonly name: string;
  /** As CSS has it. */
  readonly color: string;
  /** In the order of time. */
  readonly points: readonly SeriesPoint[];
}

/** The point of the least value, the first of several; null without points. */
export function lowest(points: readonly SeriesPoint[]): SeriesPoint | null {
  return points.reduce<SeriesPoint | null>((least, point) => (least === null || point.value < least.value ? point : least), null);
}
