/** How the memory that a classifier needs grows with its batch size. */
export interface BatchCost {
  /** Of one image of float32: a lower bound of what an image costs. */
  readonly imageBytes: number;
  /** Bytes that a batch of this size needs; infinite where they are too many to be counted. */
  bytes(batchSize: number): Promise<number>;
}

/** A batch size with what it needs. */
interface Point {
  readonly batchSize: number;
  readonly bytes: number;
}

/**
 * The largest batch size that fits into these bytes, at most `maximum`; 0 where not even 1 does. Memory grows with the batch size, and
 * nearly along a straight line, so that a few plans are enough.
 */
export async function largestBatchSize({ imageBytes, bytes }: BatchCost, available: number, maximum: number): Promise<number> {
  const at = async (batchSize: number): Promise<Point> => ({ batchSize, bytes: await bytes(batchSize) });
  const most = Math.min(maximum, Math.floor(available / imageBytes));
  if (most < 1) return 0;
  let fitting = await at(1);
  if (fitting.bytes > available) return 0;
  let failing: Point = { batchSize: most + 1, bytes: Number.POSITIVE_INFINITY };
  let slope = imageBytes;
  for (let turn = 0; failing.batchSize - fitting.batchSize > 1; turn++) {
    const next = await at(guess(fitting, failing, slope, available, turn));
    if (Number.isFinite(next.bytes)) slope = Math.max(imageBytes, (next.bytes - fitting.bytes) / (next.batchSize - fitting.batchSize));
    if (next.bytes <= available) fitting = next;
    else failing = next;
  }
  return fitting.batchSize;
}

/** Turns after which the straight line has proved no help. */
const PATIENCE = 8;

function guess(fitting: Point, failing: Point, slope: number, available: number, turn: number): number {
  // Two images tell the slope; the least that one image costs would lead far beyond the memory.
  if (turn === 0) return Math.min(2, failing.batchSize - 1);
  if (turn > PATIENCE) return Math.floor((fitting.batchSize + failing.batchSize) / 2);
  const line = fitting.batchSize + Math.floor((available - fitting.bytes) / slope);
  return Math.min(Math.max(line, fitting.batchSize + 1), failing.batchSize - 1);
}
