import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import sharp from 'sharp';
import { noiseBatch, readCompact, serialize } from './support/classifier.js';
import { hostileFiles } from './support/hostile_files.js';
import { describe, describeStored, imageFiles, putImages } from './support/stored_images.js';
import { refusalOf, testOverTheWire, train } from './support/wire.js';

const test = testOverTheWire();

const MIB = 1024 * 1024;

/** What a process has used so far: the most memory since it was last asked, and time of all processors. */
async function used(pid: number) {
  const status = await readFile(`/proc/${pid}/status`, 'latin1');
  const [, peak] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? [];
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
  const [, , , , , , , , , , , user, system] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // From now on the peak counts anew.
  await writeFile(`/proc/${pid}/clear_refs`, '5');
  // A tick of the clock is 10 ms on Linux.
  return { peakBytes: Number(peak) * 1024, milliseconds: (Number(user) + Number(system)) * 10 };
}

async function goodFile(width: number, height: number): Promise<Buffer> {
  const noise = { type: 'gaussian', mean: 128, sigma: 30 } as const;
  return await sharp({ create: { width, height, channels: 3, background: 'red', noise } })
    .removeAlpha()
    .jpeg()
    .toBuffer();
}

const PREPROCESSING = { preprocessing: { normalizeContrast: false } };

test('hostile files are refused with 5503 and their position, change nothing, and cost less than an honest photograph', async (t) => {
  const { client, daemon } = t.context;
  const pid = daemon.process.pid ?? 0;
  const classifier = await readCompact(client);
  const good = await goodFile(20, 30);
  const batchOf = (file: Buffer) => {
    const images = imageFiles([good, good, file, good]);
    return { ...noiseBatch(), images: { ...describe(images), ...PREPROCESSING }, pixels: Buffer.concat(images.parts) };
  };
  const honest = batchOf(await goodFile(5000, 4000));
  for (let step = 0; step < 3; step++) await train(client, classifier, honest);
  await used(pid);
  const before = await used(pid);
  await train(client, classifier, honest);
  const photograph = (await used(pid)).milliseconds - before.milliseconds;
  const bytes = await serialize(client, classifier);
  for (const [what, file] of await hostileFiles()) {
    const start = await used(pid);
    const { reason, metadata } = await refusalOf(train(client, classifier, batchOf(file)));
    t.is(reason, 'IMAGE_UNDECODABLE', what);
    t.is(metadata.number, '5503');
    t.is(metadata.image, '2');
    // What libvips and the collector free a moment later belongs to this file as well.
    await pause(50);
    const end = await used(pid);
    const milliseconds = end.milliseconds - start.milliseconds;
    const grown = Math.max(0, end.peakBytes - start.peakBytes) / MIB;
    t.log(`${milliseconds} ms and ${grown.toFixed(0)} MiB for ${what} (${metadata.problem}); the photograph: ${photograph} ms`);
    t.true(milliseconds < photograph + 50, `${what}: ${milliseconds} ms`);
    t.true(grown < 64, `${what}: ${grown} MiB`);
  }
  t.true((await serialize(client, classifier)).equals(bytes));
});

test('a hostile file that is stored is refused when it is used, by its position', async (t) => {
  const { client } = t.context;
  const classifier = await readCompact(client);
  const good = await goodFile(16, 16);
  const [, bomb] = (await hostileFiles()).find(([what]) => what.startsWith('a PNG of 400 million')) ?? [];
  const images = imageFiles([good, bomb ?? Buffer.alloc(0), good, good]);
  await putImages(client, images);
  const batch = { ...noiseBatch(), images: { ...describeStored(images), ...PREPROCESSING }, pixels: new Uint8Array() };
  const { reason, metadata } = await refusalOf(train(client, classifier, batch));
  t.is(reason, 'IMAGE_UNDECODABLE');
  t.is(metadata.image, '1');
  t.regex(metadata.problem ?? '', /limit/);
});
