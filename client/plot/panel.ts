import { type ScaleContinuousNumeric, scaleLinear, scaleLog } from 'd3-scale';
import { lowest, type Series, type SeriesPoint } from './series.js';
import { element, polyline, text } from './svg.js';

type Scale = ScaleContinuousNumeric<number, number>;

/** A part of a plot with an axis of values of its own. */
export interface Panel {
  /** What the values are, with their unit. */
  readonly label: string;
  readonly series: readonly Series[];
  /** Whether equal ratios are equal distances; for values above 0. */
  readonly logarithmic: boolean;
  /** The lowest point of these is marked and named. */
  readonly marked?: Series | undefined;
}

/** Where a panel is drawn. */
export interface PanelPlace {
  /** From epochs to x; its range is the panel's width. */
  readonly x: Scale;
  readonly top: number;
  readonly bottom: number;
}

const GRID = '#e4e4e7';
const FRAME = '#71717a';
const TICKS = 5;

/** Frame, values at the left, lines, and their names in the upper right corner. */
export function drawPanel({ label, series, logarithmic, marked }: Panel, { x, top, bottom }: PanelPlace): string {
  const [left = 0, right = 0] = x.range();
  const values = series.flatMap(({ points }) => points.map(({ value }) => value));
  const y = valueScale(values, logarithmic).range([bottom, top]);
  const format = y.tickFormat(TICKS, logarithmic ? '~e' : undefined);
  const ticks = y.ticks(TICKS).filter((tick) => format(tick) !== '');
  const place = ({ epoch, value }: SeriesPoint) => [x(epoch), y(value)] as const;
  const best = marked === undefined ? null : lowest(marked.points);
  return element(
    'g',
    {},
    ...ticks.map((tick) => element('line', { x1: left, x2: right, y1: y(tick), y2: y(tick), stroke: GRID })),
    ...ticks.map((tick) => element('text', { x: left - 8, y: y(tick), dy: '0.32em', 'text-anchor': 'end' }, text(format(tick)))),
    element('rect', { x: left, y: top, width: right - left, height: bottom - top, fill: 'none', stroke: FRAME }),
    element('text', { x: left, y: top - 8, 'font-weight': 'bold' }, text(label)),
    ...series.map(({ color, points }) => drawSeries(points.map(place), color)),
    ...(best === null || marked === undefined ? [] : [drawMark(place(best), marked.color)]),
    drawNames(series, right, top - 8),
  );
}

/** Lines with few points show each of them, so that a single one can be seen. */
function drawSeries(points: readonly (readonly [number, number])[], color: string): string {
  const line = element('polyline', {
    points: polyline(points),
    fill: 'none',
    stroke: color,
    'stroke-width': 1.5,
    'stroke-linejoin': 'round',
  });
  return points.length > 60 ? line : line + points.map(([cx, cy]) => element('circle', { cx, cy, r: 2, fill: color })).join('');
}

function drawMark([cx, cy]: readonly [number, number], color: string): string {
  return element('circle', { cx, cy, r: 5, fill: 'none', stroke: color, 'stroke-width': 1.5 });
}

/** One line from the right: the last name first. */
function drawNames(series: readonly Series[], right: number, y: number): string {
  if (series.length < 2) return '';
  const names = series.map(({ name, color }, index) => element('tspan', { fill: color, dx: index === 0 ? undefined : 12 }, text(name)));
  return element('text', { x: right, y, 'text-anchor': 'end' }, ...names);
}

function valueScale(values: readonly number[], logarithmic: boolean): Scale {
  const [least, most] = extent(values);
  // Values that do not differ have a middle, and so have values that are all 0.
  if (logarithmic)
    return scaleLog()
      .domain(least === most ? [least / 2, most * 2] : [least, most])
      .nice();
  return scaleLinear()
    .domain([Math.min(0, least), most === 0 ? 1 : most])
    .nice();
}

/** The least and the greatest. */
export function extent(values: readonly number[]): readonly [number, number] {
  return values.reduce<readonly [number, number]>(
    ([least, most], value) => [Math.min(least, value), Math.max(most, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
}
