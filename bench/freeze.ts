/**
 * What frozen layers save: CPU time of a training step of the engine, one thread, as more and more of a network is frozen. The cases take
 * turns step by step, so that a machine that is busy with other things slows all of them alike; CPU time does not count the waiting.
 */
import { engineBinding, type Model, type Precision } from '../native/index.js';
import { trainableLayers } from '../server/networks/definition.js';
import { networkByName } from '../server/networks/index.js';
import { freezeOf } from '../server/parameters/freeze.js';
import { median } from './median.js';
import { sgdOptions } from './sgd_options.js';

export interface FreezeOptions {
  readonly network: string;
  readonly size: number;
  readonly batch: number;
  readonly precision: Precision;
  readonly rounds: number;
}

interface Case {
  readonly patterns: readonly string[];
  readonly frozenLayers: readonly string[];
  readonly model: Model;
  readonly mebibytes: number;
  /** CPU seconds of each step. */
  readonly seconds: number[];
}

const CLASSES = 10;

/** Patterns that freeze the network from below: after each layer of the graph that another top level name follows. */
function stages(names: readonly string[]): string[][] {
  const tops = [...new Set(names.map((name) => name.replace(/\..*/, '')))];
  const patterns = tops.map((top) => (names.includes(top) ? top : `${top}.*`));
  return tops.map((_, index) => patterns.slice(0, index));
}

/** Prints a table in Markdown. */
export async function measureFreeze({ network: name, size, batch, precision, rounds }: FreezeOptions): Promise<void> {
  const network = networkByName(name);
  if (network === null) throw new Error(`no network ${name}`);
  const binding = engineBinding();
  const engine = new binding.Engine({ gpu: null, threads: 1, queueLength: 1 });
  const input = { channels: 3, height: size, width: size };
  const graph = network.graph({ classes: CLASSES, channels: 3, width: size, height: size });
  const pixels = Uint8Array.from({ length: batch * size * size * 3 }, (_, index) => (index * 2654435761) >>> 24);
  const buffer = new binding.StagingBuffer(pixels.byteLength);
  buffer.write(0, pixels);
  const labels = Int32Array.from({ length: batch }, (_, index) => index % CLASSES);
  const planOf = (frozenLayers: readonly string[]) => ({ batchSize: batch, precision, deterministic: true, frozenLayers });

  const cases: Case[] = [];
  for (const patterns of stages(trainableLayers(network))) {
    const frozenLayers = freezeOf(network, patterns).layers;
    const { parameterBytes, trainingBytes } = await engine.planMemory(graph, input, planOf(frozenLayers), 'sgd');
    const model = new binding.Model(engine, graph, input, 1n);
    cases.push({ patterns, frozenLayers, model, mebibytes: (parameterBytes + trainingBytes) / 2 ** 20, seconds: [] });
  }
  for (let round = -1; round < rounds; round++) {
    for (const { model, frozenLayers, seconds } of cases) {
      const before = process.cpuUsage();
      await model.train({ buffer, format: 'uint8', count: batch }, labels, {
        ...sgdOptions({ batchSize: batch, precision, learningRate: 0.001, momentum: 0.9, weightPrior: 0.0001, step: round + 1 }),
        frozenLayers,
      });
      const { user, system } = process.cpuUsage(before);
      if (round >= 0) seconds.push((user + system) / 1e6);
    }
  }
  await engine.close();

  console.log(`| \`freeze\` of ${name}, ${size} x ${size}, batch ${batch}, ${precision} | CPU time of a step | of the whole | memory |`);
  console.log('| --- | ---: | ---: | ---: |');
  const whole = median(cases[0]?.seconds ?? []);
  for (const { patterns, seconds, mebibytes } of cases) {
    const time = median(seconds);
    const cells = [`${(time * 1000).toFixed(0)} ms`, `${((100 * time) / whole).toFixed(0)} %`, `${mebibytes.toFixed(0)} MiB`];
    console.log(`| ${patterns.map((pattern) => `\`${pattern}\``).join(', ') || 'nothing'} | ${cells.join(' | ')} |`);
  }
}
