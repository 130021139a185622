import { randomFillSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { engineBinding } from '../../native/index.js';
import { toStored } from '../../server/classifier/stored_tensors.js';
import { networkByFileName } from '../../server/networks/index.js';
import { onnxModel } from '../../server/onnx/model.js';
import { defaultSettings } from '../../server/parameters/settings.js';
import type { ApplyRequest } from './compare.js';

/** Of the weights on both sides. */
export const SEED = 1n;

/**
 * Leaves in the case's folder what both sides need: `model.onnx`, as the daemon exports it, and `images`. Not a part of what is measured:
 * an export holds the weights several times.
 */
export async function exportCase({ network: name, graph, classes, size, batch, folder }: ApplyRequest): Promise<void> {
  const binding = engineBinding();
  const engine = new binding.Engine({ gpu: null, threads: 1, queueLength: 1 });
  try {
    const model = new binding.Model(engine, graph, { channels: 3, height: size, width: size }, SEED);
    const network = networkByFileName(name);
    const settings = {
      ...defaultSettings(network),
      imageWidth: size,
      imageHeight: size,
      classes: Array.from({ length: classes }, (_, i) => `class ${i}`),
    };
    const tensors = (await model.snapshot()).map(toStored);
    const { parts } = onnxModel({ network, settings, step: 0, seed: SEED, tensors }, model.layers, 'uint8');
    writeFileSync(join(folder, 'model.onnx'), Buffer.concat(parts));
    writeFileSync(join(folder, 'images'), randomFillSync(new Uint8Array(batch * size * size * 3)));
  } finally {
    await engine.close();
  }
}
