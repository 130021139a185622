import sharp from 'sharp';
import { InvalidRequestError, loadImage, type PixelImage } from '../client/index.js';
import { engineBinding, type Window } from '../native/index.js';
import { decodeImages, placesIn, stage } from '../server/images/decode.js';
import { readSmall, testWithDaemon } from './support/client.js';
import { noiseImages } from './support/noise.js';

const test = testWithDaemon();
const SIZE = { width: 16, height: 16, channels: 1 } as const;

function png({ data, shape: [height, width, channels] }: PixelImage): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels: channels as 1 | 3 } })
    .png()
    .toBuffer();
}

function noise(height: number, width: number, channels: number, seed: number): PixelImage & { readonly data: Uint8Array } {
  return { data: noiseImages(1, [height, width, channels], seed).data, shape: [height, width, channels] };
}

/** What the server makes of a file of any size: test/39 compares it with the formula. */
async function preprocessed(file: Uint8Array, domain: Window | null, normalizeContrast: boolean): Promise<PixelImage> {
  const buffer = new (engineBinding().StagingBuffer)(256);
  const images = { files: stage([file]), sizes: [file.byteLength], positions: null };
  await decodeImages(images, SIZE, placesIn(buffer, SIZE), { normalizeContrast, domains: [domain] }, new AbortController().signal);
  return { data: buffer.read(0, 256), shape: [16, 16, 1] };
}

test('files of any size are sent as they are where the server is to preprocess them', async (t) => {
  await using classifier = await readSmall(t.context.client);
  const files = await Promise.all([noise(40, 50, 3, 11), noise(16, 16, 1, 12), noise(9, 70, 3, 13)].map(png));
  const domain = { row1: 2, column1: 3, row2: 8, column2: 40 };
  const window = { row: 2, column: 3, height: 7, width: 38 };
  for (const normalizeContrast of [false, true]) {
    const options = { files: 'preprocess', normalizeContrast } as const;
    await using whole = await classifier.apply(files, options);
    const pixels = await Promise.all(files.map((file) => preprocessed(file, null, normalizeContrast)));
    await using expected = await classifier.apply(pixels);
    t.deepEqual(await whole.all(), await expected.all());
    // The second is too small for the domain and taken whole.
    const parts = files.map((file, index) => (index === 1 ? file : { file, domain }));
    await using cropped = await classifier.apply(parts, options);
    const cut = await Promise.all(files.map((file, index) => preprocessed(file, index === 1 ? null : window, normalizeContrast)));
    await using expectedParts = await classifier.apply(cut);
    t.deepEqual(await cropped.all(), await expectedParts.all());
  }
  await t.throwsAsync(classifier.apply([{ file: files[1] as Buffer, domain }], { files: 'preprocess' }), {
    instanceOf: InvalidRequestError,
    message: /not within an image of 16 x 16 pixels/,
  });
});

test('a part of a file is decoded here as the file that holds this part alone', async (t) => {
  const image = noise(40, 50, 1, 14);
  const rows = Array.from({ length: 20 }, (_, row) => [...image.data.subarray((row + 5) * 50 + 10, (row + 5) * 50 + 40)]);
  const part = await png({ data: Uint8Array.from(rows.flat()), shape: [20, 30, 1] });
  const domain = { row1: 5, column1: 10, row2: 24, column2: 39 };
  t.deepEqual(await loadImage({ file: await png(image), domain }, SIZE), await loadImage(part, SIZE));
  await using classifier = await readSmall(t.context.client);
  await t.throwsAsync(classifier.apply([{ file: part, domain }], { files: 'send' }), { instanceOf: TypeError, message: /domain/ });
});
