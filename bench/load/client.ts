import { setTimeout as pause } from 'node:timers/promises';
import { DlClassifierClient, DlClassifierError, type Images, type PixelImage, Random } from '../../client/index.js';

/** What one client of the load did. */
export interface ClientRecord {
  /** `pixels`: sends its images with each batch. `references`: names images that the server has stored. */
  readonly kind: 'pixels' | 'references';
  steps: number;
  applied: number;
  /** Refusals that a busy server answers with and that ask to call again, by reason. */
  readonly refusals: Record<string, number>;
  /** Anything else that went wrong. */
  readonly errors: string[];
}

/** Pixels of a row, and rows, of each image; three channels. */
const SIZE = 48;
const BATCH = 8;
const CLASSES = ['a', 'b', 'c', 'd'];
const LABELS = Array.from({ length: BATCH }, (_, index) => index % CLASSES.length);

/** Different batches of a client. */
const BATCHES = 6;

/** Steps down one stream; after each stream some images are classified, and the connection is left open. */
const STREAM_STEPS = 24;

/** Reasons after which a client is expected to try again. */
const PATIENCE: ReadonlySet<string> = new Set(['SERVER_BUSY']);

function batchesOf(kind: ClientRecord['kind'], seed: number): readonly Images[] {
  const random = new Random(seed);
  return Array.from({ length: BATCHES }, () => {
    const data = Uint8Array.from({ length: BATCH * SIZE * SIZE * 3 }, () => random.below(256));
    if (kind === 'pixels') return { data, shape: [BATCH, SIZE, SIZE, 3] as const };
    const bytes = SIZE * SIZE * 3;
    return Array.from(
      { length: BATCH },
      (_, index): PixelImage => ({ data: data.subarray(index * bytes, (index + 1) * bytes), shape: [SIZE, SIZE, 3] }),
    );
  });
}

/** Trains a classifier of its own of this network until the signal, with a connection of its own, and counts in `record`. */
export async function runClient(
  address: string,
  network: string,
  number: number,
  record: ClientRecord,
  signal: AbortSignal,
): Promise<void> {
  await using client = await DlClassifierClient.connect(address, { connectTimeoutMs: 60_000 });
  await using classifier = await client.readClassifier(network, { seed: number });
  await classifier.setParam({ classes: CLASSES, image_dimensions: [SIZE, SIZE, 3], batch_size: BATCH, learning_rate: 1e-4 });
  const batches = batchesOf(record.kind, number);
  const references = record.kind === 'references' ? 'always' : 'never';
  function* source() {
    for (let step = 0; step < STREAM_STEPS && !signal.aborted; step++) yield { images: batches[step % BATCHES] as Images, labels: LABELS };
  }
  while (!signal.aborted) {
    try {
      for await (const { loss } of classifier.trainBatches(source(), { references })) {
        if (!Number.isFinite(loss)) throw new Error(`the loss is ${loss}`);
        record.steps++;
      }
      const result = await classifier.apply(batches[0] as Images, { references });
      record.applied += (await result.all()).length;
      await result.clear();
    } catch (error) {
      const reason = error instanceof DlClassifierError ? error.reason : null;
      if (reason === null || !PATIENCE.has(reason)) {
        record.errors.push(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
      } else record.refusals[reason] = (record.refusals[reason] ?? 0) + 1;
      await pause(100);
    }
  }
}
