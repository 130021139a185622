import { scaleLinear } from 'd3-scale';
import { drawPanel, extent, type Panel } from './panel.js';
import { lowest, type Series, type SeriesPoint } from './series.js';
import { element, text } from './svg.js';

/** What a training has come to at some moment. What is null or left out is not drawn there. */
export interface TrainingProgress {
  /** Epochs made so far; parts of one count as such. */
  readonly epoch: number;
  /** Share of training images whose class is not the true one, 0..1: `top1Error` of `measures`. */
  readonly trainingError?: number | null | undefined;
  /** The same of images that are not trained on. */
  readonly validationError?: number | null | undefined;
  readonly loss?: number | null | undefined;
  readonly learningRate?: number | null | undefined;
}

export interface TrainingPlotOptions {
  /** Stands above the plot. */
  readonly title?: string | undefined;
  /** Epochs that the training will have when it is over: the length of the axis. */
  readonly epochs?: number | undefined;
}

type Measured = Exclude<keyof TrainingProgress, 'epoch'>;

const WIDTH = 800;
const PANEL_HEIGHT = 180;
/** Between two panels, and above the first one: room for the names of what is drawn. */
const GAP = 36;
const MARGIN = { left: 72, right: 24, top: 40, bottom: 48 } as const;
const FONT = 'system-ui, sans-serif';
const COLORS: Readonly<Record<Measured, string>> = {
  trainingError: '#2563eb',
  validationError: '#dc2626',
  loss: '#2563eb',
  learningRate: '#15803d',
};

/**
 * Draws errors, loss and learning rate of a training over its epochs, as HALCON's plot_dl_classifier_training_progress does, as SVG. The lowest
 * validation error is marked.
 *
 * @param progress in the order of time
 * @throws RangeError where a value cannot be drawn
 */
export function trainingPlot(progress: readonly TrainingProgress[], { title, epochs }: TrainingPlotOptions = {}): string {
  for (const [index, one] of progress.entries()) expectDrawable(one, index);
  if (epochs !== undefined && !(Number.isFinite(epochs) && epochs > 0)) throw new RangeError(`epochs is ${epochs}: give a number > 0`);
  const panels = panelsOf(progress);
  const bottom = (index: number): number => MARGIN.top + (index + 1) * (GAP + PANEL_HEIGHT);
  const end = bottom(Math.max(1, panels.length) - 1);
  const [first, last] = extent([0, ...progress.map(({ epoch }) => epoch), epochs ?? 0]);
  const x = scaleLinear([first, first === last ? first + 1 : last], [MARGIN.left, WIDTH - MARGIN.right]);
  const ticks = x.ticks(10);
  const format = x.tickFormat(10);
  return element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${WIDTH} ${end + MARGIN.bottom}`,
      width: WIDTH,
      height: end + MARGIN.bottom,
      'font-family': FONT,
      'font-size': 12,
      fill: '#18181b',
    },
    element('rect', { width: '100%', height: '100%', fill: 'white' }),
    element('text', { x: MARGIN.left, y: 26, 'font-size': 16 }, text(heading(progress, title))),
    ...panels.map((panel, index) => drawPanel(panel, { x, top: bottom(index) - PANEL_HEIGHT, bottom: bottom(index) })),
    ...ticks.map((tick) => element('text', { x: x(tick), y: end + 18, 'text-anchor': 'middle' }, text(format(tick)))),
    element('text', { x: (MARGIN.left + WIDTH - MARGIN.right) / 2, y: end + 38, 'text-anchor': 'middle' }, 'epochs'),
  );
}

function panelsOf(progress: readonly TrainingProgress[]): Panel[] {
  const series = (name: string, key: Measured, factor = 1): Series => ({
    name,
    color: COLORS[key],
    points: pointsOf(progress, key, factor),
  });
  const validation = series('validation', 'validationError', 100);
  const errors = [series('training', 'trainingError', 100), validation].filter(({ points }) => points.length > 0);
  const rates = series('learning rate', 'learningRate');
  const positive = rates.points.every(({ value }) => value > 0);
  const panels: Panel[] = [
    { label: 'top-1 error, %', series: errors, logarithmic: false, marked: validation },
    { label: 'loss', series: [series('loss', 'loss')], logarithmic: false },
    { label: 'learning rate', series: [rates], logarithmic: positive },
  ];
  return panels.filter(({ series }) => series.some(({ points }) => points.length > 0));
}

/** Where it is known, times a factor. */
function pointsOf(progress: readonly TrainingProgress[], key: Measured, factor: number): SeriesPoint[] {
  return progress.flatMap(({ epoch, [key]: value }) => (value == null ? [] : [{ epoch, value: value * factor }]));
}

/** The title, and what the training is judged by. */
function heading(progress: readonly TrainingProgress[], title = 'training'): string {
  const best = lowest(pointsOf(progress, 'validationError', 100));
  if (best === null) return title;
  return `${title}: lowest validation error ${best.value.toFixed(2)} % after ${Number(best.epoch.toFixed(2))} epochs`;
}

function expectDrawable(progress: TrainingProgress, index: number): void {
  const limits: Readonly<Record<keyof TrainingProgress, number>> = {
    epoch: Number.POSITIVE_INFINITY,
    trainingError: 1,
    validationError: 1,
    loss: Number.POSITIVE_INFINITY,
    learningRate: Number.POSITIVE_INFINITY,
  };
  for (const [name, most] of Object.entries(limits)) {
    const value = progress[name as keyof TrainingProgress];
    if (value == null && name !== 'epoch') continue;
    if (typeof value === 'number' && Number.isFinite(value) && value >= 0 && value <= most) continue;
    const wanted = most === 1 ? 'a share from 0 to 1' : 'a finite number from 0 on';
    throw new RangeError(`progress ${index}: ${name} is ${value}; give ${wanted}`);
  }
}
