import test from 'ava';
import { unlessHanging } from '../server/devices/hanging.js';

/** Has finished nothing for so many milliseconds; null: it has nothing to finish. */
const device = (runtime: 'cpu' | 'gpu', index: number, silence: number | null) => ({ runtime, index, silence });

const MILLISECONDS = 300;

const never = () => new Promise<void>(() => {});

const after = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

test('work that ends is waited for, whatever is under way', async (t) => {
  t.deepEqual(await unlessHanging(Promise.resolve(), [device('gpu', 0, 1e9)], MILLISECONDS), []);
});

test('work that rejects rejects', async (t) => {
  await t.throwsAsync(unlessHanging(Promise.reject(new Error('of its own')), [], MILLISECONDS), { message: 'of its own' });
});

test('a GPU that has finished nothing for so long is not waited for, but so long it is', async (t) => {
  const began = performance.now();
  t.deepEqual(await unlessHanging(never(), [device('cpu', 0, null), device('gpu', 0, null), device('gpu', 1, 1e9)], MILLISECONDS), [1]);
  t.true(performance.now() - began >= MILLISECONDS);
});

for (const [what, other] of [
  ['the CPU', device('cpu', 0, 1e9)],
  ['another GPU that goes on', device('gpu', 1, MILLISECONDS - 1)],
] as const) {
  test(`as long as ${what} computes, a GPU that hangs ends nothing`, async (t) => {
    t.deepEqual(await unlessHanging(after(4 * MILLISECONDS), [device('gpu', 0, 1e9), other], MILLISECONDS), []);
  });
}

test('what waits for no device is waited for', async (t) => {
  t.deepEqual(await unlessHanging(after(4 * MILLISECONDS), [device('gpu', 0, null)], MILLISECONDS), []);
});
