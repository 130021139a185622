import test from 'ava';
import { engineBinding } from '../native/index.js';
import { type ImagePlan, prepareAll } from '../server/images/pool.js';

const { StagingBuffer } = engineBinding();
const never = new AbortController().signal;
const SHAPE = { width: 4, height: 4, channels: 1 } as const;
const LARGE = { width: 3000, height: 3000, channels: 1 } as const;
const large = new StagingBuffer(LARGE.width * LARGE.height);

type Prepare = (image: ImagePlan) => Promise<void>;

/** An image that takes some milliseconds. */
function turn(_index: number, prepare: Prepare): Promise<void> {
  const target = new StagingBuffer(16);
  const how = { exact: false, domain: null, normalizeContrast: false, augmentation: null };
  const source = { source: large, sourceOffset: 0, sourceBytes: large.byteLength, pixels: LARGE };
  return prepare({ ...source, target, targetOffset: 0, ...SHAPE, ...how });
}

test('a call of few images is not behind all the images of a call that came before', async (t) => {
  let begun = 0;
  const counted = (index: number, prepare: Prepare) => {
    begun++;
    return turn(index, prepare);
  };
  const many = prepareAll(400, counted, (error) => error, never);
  await prepareAll(2, turn, (error) => error, never);
  t.true(begun < 200, `${begun} of the other call's images had begun`);
  await many;
  t.is(begun, 400);
});

test('of several images that fail the first is told, and few more are begun', async (t) => {
  let begun = 0;
  const failing = (index: number, prepare: Prepare) => {
    begun++;
    if (index >= 20) throw new Error(`image ${index}`);
    return turn(index, prepare);
  };
  await t.throwsAsync(
    prepareAll(1000, failing, (error) => error, never),
    { message: 'image 20' },
  );
  t.true(begun < 200, `${begun} were begun`);
});

test('images for which there is nothing to do are left alone', async (t) => {
  const asked: number[] = [];
  const ask = (index: number) => {
    asked.push(index);
  };
  await prepareAll(5, ask, (error) => error, never);
  t.deepEqual(asked, [0, 1, 2, 3, 4]);
});

test('no images are no work', async (t) => {
  await t.notThrowsAsync(
    prepareAll(
      0,
      () => t.fail() as never,
      (error) => error,
      never,
    ),
  );
});
