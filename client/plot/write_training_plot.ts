import { extname } from 'node:path';
import { writeWhole } from '../files/write_whole.js';
import { text } from './svg.js';
import { type TrainingPlotOptions, type TrainingProgress, trainingPlot } from './training_plot.js';

/** Seconds after which a page looks for what has been added. */
const RELOAD_SECONDS = 5;

/**
 * Writes {@link trainingPlot} to a file, as a whole: who reads it sees this plot or the one before. Written again as a training goes on, a
 * page (`.html`) shows each new plot by itself to whoever has it open.
 *
 * @param file whose name ends with `.html` or `.svg`
 * @throws RangeError where the name ends otherwise or a value cannot be drawn; the error of the file system
 */
export async function writeTrainingPlot(
  file: string,
  progress: readonly TrainingProgress[],
  options: TrainingPlotOptions = {},
): Promise<void> {
  const format = FORMATS[extname(file).toLowerCase()];
  if (format === undefined) throw new RangeError(`${file}: a plot is written as .html or .svg`);
  await writeWhole(file, format(trainingPlot(progress, options), options));
}

const FORMATS: Readonly<Record<string, (svg: string, options: TrainingPlotOptions) => string>> = {
  '.svg': (svg) => `${svg}\n`,
  '.html': (svg, { title = 'training' }) =>
    [
      '<!doctype html>',
      '<html lang="en">',
      `<head><meta charset="utf-8"><meta http-equiv="refresh" content="${RELOAD_SECONDS}"><title>${text(title)}</title></head>`,
      `<body>${svg}</body>`,
      '</html>',
      '',
    ].join('\n'),
};
