/** Trains with the client library: a step is a batch of 32 images down a stream of batches. */
import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { refusalError } from '../../client/errors/decode.js';
import { imagePayload } from '../../client/images/payload.js';
import {
  type Classifier,
  DlClassifierClient,
  type Images,
  type PixelImage,
  Random,
  StepMismatchError,
  type TrainBatchesOptions,
} from '../../client/index.js';
import { BatchCall } from '../../client/training/batch_call.js';
import { encodeLabels } from '../../client/training/step_call.js';
import { Connection } from '../../client/transport/connection.js';
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
  /** Beside that of `classifier`, for calls that the client library does not make. */
  readonly connection: Connection;
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
    connection: new Connection(address, { tls }),
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

/** Seconds of all batches together. */
async function stream(prepared: Prepared, steps: number): Promise<number[]> {
  const { content } = prepared.request;
  const start = performance.now();
  const answered = await (content === 'trained' || content === 'references' ? trained : takenIn)(prepared, steps);
  const seconds = (performance.now() - start) / 1000;
  if (answered !== steps) throw new Error(`${answered} batches answered, of ${steps}`);
  return [seconds];
}

async function trained({ classifier, batches, options }: Prepared, steps: number): Promise<number> {
  function* source() {
    for (let step = 0; step < steps; step++) yield { images: batches[step % BATCHES] as Images, labels: LABELS };
  }
  let applied = 0;
  for await (const _ of classifier.trainBatches(source(), options)) applied++;
  return applied;
}

/** A step that is never reached: the batch is taken in as a whole, and refused when it would be its turn. */
const NO_STEP = 2 ** 40;

/** Sends batches as trainBatches does, which would end with the first refusal of this kind. */
async function takenIn({ connection, classifier: { handle }, batches, options }: Prepared, steps: number): Promise<number> {
  const call = new BatchCall(connection, { classifier: handle, continueAfterRefusal: true, unanswered: [] }, {});
  const refused = countRefused(call);
  refused.catch(() => {});
  const step = { classifier: handle, labels: encodeLabels(LABELS), expectedStep: NO_STEP, params: [], augmentation: undefined };
  for (let index = 0; index < steps; index++) {
    const payload = await imagePayload(batches[index % BATCHES] as Images, sizeOfNoFile, options, undefined);
    if (!(await call.send({ ...step, payload, requestId: String(index) }))) break;
  }
  call.end();
  return await refused;
}

async function countRefused(call: BatchCall): Promise<number> {
  let refused = 0;
  for await (const { outcome } of call.responses) {
    if (outcome?.$case === 'opened') continue;
    const error = outcome?.$case === 'refused' ? refusalError(outcome.value) : new Error('a batch was trained');
    if (!(error instanceof StepMismatchError)) throw error;
    refused++;
  }
  return refused;
}

async function sizeOfNoFile(): Promise<never> {
  throw new Error('no file is decoded here');
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
