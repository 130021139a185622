/** A program that trains while the server forgets images that it names, and has nothing more to do then. Argument: address. */

import { DlClassifierClient, type PixelImage } from '../../client/index.js';
import { call, connectTo } from './calls.js';
import { noiseImages } from './noise.js';

const SHAPE = [64, 64, 1] as const;

const [address = ''] = process.argv.slice(2);
const direct = connectTo(address);

/** Four images, the same for the same number. */
function images(number: number): PixelImage[] {
  return Array.from({ length: 4 }, (_, index) => ({ data: noiseImages(1, SHAPE, 4 * number + index).data, shape: SHAPE }));
}

/** Names that the server does not know any more, in turns with images that are being stored while these names are refused. */
async function* batches() {
  for (let number = 0; number < 40; number++) {
    if (number % 2 === 0) await call(direct, 'deleteImages', { selection: { $case: 'all', value: true } });
    yield { images: images(number % 2 === 0 ? 0 : number), labels: [0, 1, 1, 0] };
  }
}

const client = await DlClassifierClient.connect(address, { onWarning: () => {} });
const classifier = await client.readClassifier('compact');
await classifier.setParam({ classes: ['good', 'bad'], image_dimensions: [...SHAPE], batch_size: 4 });
let steps = 0;
for await (const { step } of classifier.trainBatches(batches(), { window: 4, references: 'always' })) steps = step;
client.close();
direct.close();
console.log(`${steps} steps`);
