/** Trains with the client library: a step is a batch of 32 images down a stream of batches, as `trainBatches` sends it. */
import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import {
  type Classifier,
  DlClassifierClient,
  type Images,
  type PixelImage,
  Random,
  StepMismatchError,
  type TrainBatchesOptions,
} from '../../client/index.js';
import { drawBatches, loadPhotographs } from '../photographs.js';
import { serve } from '../worker.js';
import { BATCH_IMAGES, type Content, type Endpoint, IMAGE_BYTES, IMAGE_SIZE } from './case.js';
import { means } from './network.js';

export interface OurRequest extends Endpoint {
  readonly content: Content;
  /** `stream`: seconds of all steps of a turn. `single`: of each step, one after the other, the seconds that are not the engine's. */
  readonly timing: 'stream' | 'single';
}

const CLASSES = 10;

/** Different batches, sent in turn. */
const BATCHES = 4;

const LABELS = Array.from({ length: BATCH_IMAGES }, (_, index) => index % CLASSES);

function noise(bytes: number, seed: number): Uint8Array {
  const random = new Random(seed);
  return Uint8Array.from({ length: bytes }, () => random.below(256));
}

async function imagesOf(content: Content): Promise<readonly Images[]> {
  const shape = [IMAGE_SIZE, IMAGE_SIZE, 3] as const;
  if (content === 'pixels' || content === 'trained') {
    const pixels = noise(BATCH_IMAGES * IMAGE_BYTES, 1);
    return Array.from({ length: BATCHES }, () => ({ data: pixels, shape: [BATCH_IMAGES, ...shape] as const }));
  }
  const drawn = await drawBatches((await loadPhotographs()).training, { steps: BATCHES, images: BATCH_IMAGES, size: IMAGE_SIZE, seed: 1 });
  const batches: Images[] = [];
  for (let batch = 0; batch < BATCHES; batch++) {
    const images: (PixelImage | Uint8Array)[] = [];
    for (let image = 0; image < BATCH_IMAGES; image++) {
      const start = (batch * BATCH_IMAGES + image) * IMAGE_BYTES;
      const data = drawn.pixels.subarray(start, start + IMAGE_BYTES);
      const raw = { raw: { width: IMAGE_SIZE, height: IMAGE_SIZE, channels: 3 as const } };
      images.push(content === 'references' ? { data, shape } : await sharp(data, raw).jpeg({ quality: 90 }).toBuffer());
    }
    batches.push(images);
  }
  return batches;
}

interface Prepared {
  readonly request: OurRequest;
  readonly classifier: Classifier;
  readonly batches: readonly Images[];
  readonly options: TrainBatchesOptions;
}

async function prepareCase(request: OurRequest): Promise<Prepared> {
  const { address, certificate, content } = request;
  const tls = certificate === null ? false : { rootCertificates: readFileSync(certificate) };
  const client = await DlClassifierClient.connect(address, { tls });
  const classifier = await client.readClassifier(means.name, { seed: 1 });
  const classes = Array.from({ length: CLASSES }, (_, index) => `class ${index}`);
  await classifier.setParam({ classes, image_dimensions: [IMAGE_SIZE, IMAGE_SIZE, 3], batch_size: BATCH_IMAGES });
  const references = content === 'references' ? 'always' : 'never';
  return {
    request,
    classifier,
    batches: await imagesOf(content),
    options: content === 'jpeg' ? { references, files: 'send' } : { references, constantImages: true },
  };
}

function bytesOf(images: Images): number {
  if ('data' in images) return images.data.byteLength;
  const data = images.map((image) => (image instanceof Uint8Array ? image : (image as PixelImage).data));
  return data.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** A step that is never reached: the batch is taken in as a whole, and refused when it would be its turn. */
const NO_STEP = 2 ** 40;

/** Seconds of all batches together. */
async function stream({ request, classifier, batches, options }: Prepared, steps: number): Promise<number[]> {
  function* source() {
    for (let step = 0; step < steps; step++) yield { images: batches[step % BATCHES] as Images, labels: LABELS };
  }
  let [applied, refused] = [0, 0];
  const onRefused = (error: unknown) => {
    if (!(error instanceof StepMismatchError)) throw error;
    refused++;
  };
  const trains = request.content === 'trained' || request.content === 'references';
  const start = performance.now();
  for await (const _ of classifier.trainBatches(source(), trains ? options : { ...options, expectedStep: NO_STEP, onRefused })) applied++;
  const seconds = (performance.now() - start) / 1000;
  if ((trains ? applied : refused) !== steps) throw new Error(`${applied} batches applied, ${refused} refused, of ${steps}`);
  return [seconds];
}

/** Seconds of each batch by itself, from the call to the answer, without those that the engine computed. */
async function singly({ classifier, batches, options }: Prepared, steps: number): Promise<number[]> {
  const overheads: number[] = [];
  for (let step = 0; step < steps; step++) {
    const start = performance.now();
    const result = await classifier.trainBatch(batches[step % BATCHES] as Images, LABELS, options);
    const seconds = (performance.now() - start) / 1000;
    const { time_forward, time_backward, time_update } = await result.get(['time_forward', 'time_backward', 'time_update']);
    overheads.push(seconds - time_forward - time_backward - time_update);
    await result.clear();
  }
  return overheads;
}

let prepared: Prepared | null = null;

await serve(async ({ prepare, steps }) => {
  if (prepare !== undefined) {
    prepared = await prepareCase(prepare as OurRequest);
    return { stepBytes: bytesOf(prepared.batches[0] as Images) };
  }
  if (prepared === null || steps === undefined) throw new Error('steps before prepare');
  return { seconds: await (prepared.request.timing === 'stream' ? stream : singly)(prepared, steps) };
});
process.exit(0);
