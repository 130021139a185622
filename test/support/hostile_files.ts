import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';

/** An image file that means harm, and what it does. */
export type HostileFile = readonly [what: string, file: Buffer];

const SIDE = 96;

function picture() {
  const noise = { type: 'gaussian', mean: 128, sigma: 40 } as const;
  return sharp({ create: { width: SIDE, height: SIDE, channels: 3, background: 'red', noise } }).removeAlpha();
}

function pngChunk(type: string, content: Buffer): Buffer {
  const chunk = Buffer.alloc(12 + content.length);
  chunk.writeUInt32BE(content.length, 0);
  chunk.write(type, 4, 'latin1');
  content.copy(chunk, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + content.length)), 8 + content.length);
  return chunk;
}

/** A PNG of black pixels that unpacks to so many bytes more than it has. */
function blackPng(width: number, height: number, bitDepth: number): Buffer {
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, bitDepth, 0, 0, 0, 0]);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  const rowBytes = 1 + Math.ceil((width * bitDepth) / 8);
  const data = deflateSync(Buffer.alloc(rowBytes * height), { level: 9 });
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  return Buffer.concat([signature, pngChunk('IHDR', header), pngChunk('IDAT', data), pngChunk('IEND', Buffer.alloc(0))]);
}

/** The same PNG, whose header promises another size. */
function promisedPng(file: Buffer, width: number, height: number): Buffer {
  const header = Buffer.from(file.subarray(16, 29));
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  return Buffer.concat([file.subarray(0, 8), pngChunk('IHDR', header), file.subarray(33)]);
}

/** Writes another size into the frame header of a JPEG. */
function promisedJpeg(file: Buffer, width: number, height: number): Buffer {
  const changed = Buffer.from(file);
  const frame = changed.findIndex((byte, at) => byte === 0xff && (changed[at + 1] === 0xc0 || changed[at + 1] === 0xc2));
  changed.writeUInt16BE(height, frame + 5);
  changed.writeUInt16BE(width, frame + 7);
  return changed;
}

/** Writes another size into the screen and the first frame of a GIF. */
function promisedGif(file: Buffer, width: number, height: number): Buffer {
  const changed = Buffer.from(file);
  const colours = 2 ** ((changed.readUInt8(10) & 7) + 1);
  let frame = 13 + 3 * colours;
  // Extensions come first: two bytes and blocks, each after its length, up to an empty one.
  while (changed[frame] === 0x21) {
    frame += 2;
    while (changed[frame] !== 0) frame += 1 + (changed[frame] ?? 0);
    frame++;
  }
  for (const size of [6, frame + 5]) {
    changed.writeUInt16LE(width, size);
    changed.writeUInt16LE(height, size + 2);
  }
  return changed;
}

/** Writes another size into the first directory of a little-endian TIFF. */
function promisedTiff(file: Buffer, width: number, height: number): Buffer {
  const changed = Buffer.from(file);
  const directory = changed.readUInt32LE(4);
  for (let entry = 0; entry < changed.readUInt16LE(directory); entry++) {
    const at = directory + 2 + 12 * entry;
    const tag = changed.readUInt16LE(at);
    if (tag !== 256 && tag !== 257) continue;
    changed.writeUInt16LE(4, at + 2);
    changed.writeUInt32LE(tag === 256 ? width : height, at + 8);
  }
  return changed;
}

/** The largest size that a lossless WebP can promise, 16,384 x 16,384. */
function largestWebp(file: Buffer): Buffer {
  const changed = Buffer.from(file);
  const start = changed.indexOf('VP8L') + 9;
  changed.writeUInt32LE((changed.readUInt32LE(start) | 0x0fffffff) >>> 0, start);
  return changed;
}

/** A progressive JPEG that repeats its last scan. */
function manyScans(file: Buffer, times: number): Buffer {
  const scan = file.lastIndexOf(Buffer.from([0xff, 0xda]));
  const repeated = new Array<Buffer>(times).fill(file.subarray(scan, -2));
  return Buffer.concat([file.subarray(0, scan), ...repeated, file.subarray(-2)]);
}

/** None of them larger than 200 KiB. */
export async function hostileFiles(): Promise<HostileFile[]> {
  const jpeg = await picture().jpeg().toBuffer();
  const progressive = await picture().jpeg({ progressive: true }).toBuffer();
  const png = await picture().png().toBuffer();
  const webp = await picture().webp({ lossless: true }).toBuffer();
  const tiff = await picture().tiff({ compression: 'deflate' }).toBuffer();
  const gif = await picture().gif().toBuffer();
  const half = (file: Buffer) => file.subarray(0, file.length / 2);
  return [
    ['a JPEG that is cut off', half(jpeg)],
    ['a progressive JPEG that is cut off', half(progressive)],
    ['a PNG that is cut off', half(png)],
    ['a WebP that is cut off', half(webp)],
    ['a TIFF that is cut off', half(tiff)],
    ['a GIF that is cut off', half(gif)],
    ['a JPEG that promises 65,500 x 65,500 pixels', promisedJpeg(jpeg, 65_500, 65_500)],
    ['a JPEG that promises as many pixels as are allowed, which do not come', promisedJpeg(jpeg, 8192, 8192)],
    ['a progressive JPEG that promises so many', promisedJpeg(progressive, 8192, 8192)],
    ['a PNG that promises 100,000 x 100,000 pixels', promisedPng(png, 100_000, 100_000)],
    ['a PNG that promises as many pixels as are allowed, which do not come', promisedPng(png, 8192, 8192)],
    ['a PNG of 400 million black pixels in 50 KiB', blackPng(20_000, 20_000, 1)],
    ['a WebP that promises 16,384 x 16,384 pixels', largestWebp(webp)],
    ['a TIFF that promises 100,000 x 100,000 pixels', promisedTiff(tiff, 100_000, 100_000)],
    ['a TIFF that promises as many pixels as are allowed, which do not come', promisedTiff(tiff, 8192, 8192)],
    ['a GIF that promises 65,535 x 65,535 pixels', promisedGif(gif, 65_535, 65_535)],
    ['a JPEG of a thousand scans', manyScans(progressive, 1000)],
    ['nothing', Buffer.alloc(1)],
    ['text', Buffer.from('a picture of a cat')],
    ['SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16"/>')],
    ['PDF', Buffer.from('%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj')],
    ['a packed archive', deflateSync(Buffer.alloc(1 << 20))],
  ];
}
