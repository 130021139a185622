import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Client, ServiceError } from '@grpc/grpc-js';
import { UnknownImages } from '../../generated/dlclassifier/v1/error.js';
import { ImageBatch, PixelFormat } from '../../generated/dlclassifier/v1/image.js';
import { ImageNames, type PutImagesRequest, type PutImagesResponse } from '../../generated/dlclassifier/v1/image_store.js';
import { Status } from '../../generated/google/rpc/status.js';
import { CHUNK_BYTES } from '../../server/config.js';
import { call, upload } from './calls.js';

/** Images of one shape as a test puts them: their bytes, and how these are to be read. */
export interface Images {
  readonly format: PixelFormat;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly parts: readonly Uint8Array[];
}

const NOTHING = new Uint8Array();

export function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

/** Noise, the same for the same seeds: one image a seed. */
export function noisePixels(seeds: readonly number[], size = 16, channels = 3): Images {
  const parts = seeds.map((seed) => {
    const pixels = new Uint8Array(size * size * channels);
    for (let index = 0, state = seed; index < pixels.length; index++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      pixels[index] = state >>> 24;
    }
    return pixels;
  });
  return { format: PixelFormat.PIXEL_FORMAT_UINT8, width: size, height: size, channels, parts };
}

export function imageFiles(parts: readonly Uint8Array[]): Images {
  return { format: PixelFormat.PIXEL_FORMAT_ENCODED, width: 0, height: 0, channels: 0, parts };
}

/** The header's description of images that are all sent. */
export function describe({ parts, ...shape }: Images): ImageBatch {
  const encodedSizes = shape.format === PixelFormat.PIXEL_FORMAT_ENCODED ? parts.map((part) => part.byteLength) : [];
  return ImageBatch.fromPartial({ ...shape, imageCount: parts.length, encodedSizes });
}

/** The same images by reference; those at the positions in `sent` are sent. */
export function describeStored({ parts, ...shape }: Images, sent: readonly number[] = []): ImageBatch {
  const sizes = sent.map((position) => parts[position]?.byteLength ?? 0);
  const encodedSizes = shape.format === PixelFormat.PIXEL_FORMAT_ENCODED ? sizes : [];
  const references = parts.map((part, position) => (sent.includes(position) ? NOTHING : sha256(part)));
  return ImageBatch.fromPartial({ ...shape, imageCount: parts.length, encodedSizes, references });
}

export function putMessages(images: Images, digests = images.parts.map(sha256), chunkBytes = CHUNK_BYTES): PutImagesRequest[] {
  const bytes = Buffer.concat(images.parts);
  const chunks: PutImagesRequest[] = [];
  for (let start = 0; start < bytes.length; start += chunkBytes) {
    chunks.push({ header: undefined, pixels: bytes.subarray(start, start + chunkBytes), commit: undefined });
  }
  return [
    { header: { images: describe(images), sha256: digests }, pixels: NOTHING, commit: undefined },
    ...chunks,
    { header: undefined, pixels: NOTHING, commit: { crc32: crc32(bytes) } },
  ];
}

export function putImages(client: Client, images: Images): Promise<PutImagesResponse> {
  return upload(client, 'putImages', putMessages(images));
}

export function namesOf({ parts, ...shape }: Images): ImageNames {
  return ImageNames.fromPartial({ ...shape, sha256: parts.map(sha256) });
}

/** Positions of those that are not stored. */
export async function missingImages(client: Client, images: Images): Promise<number[]> {
  return (await call(client, 'hasImages', { images: namesOf(images) })).missing;
}

/** Positions that the detail UnknownImages of a refusal lists; throws where it has none. */
export function unknownImages(error: ServiceError): number[] {
  const [encoded] = error.metadata.get('grpc-status-details-bin');
  if (!Buffer.isBuffer(encoded)) throw new Error(`no details in ${error.message}`);
  const detail = Status.decode(encoded).details.find(({ typeUrl }) => typeUrl === 'type.googleapis.com/dlclassifier.v1.UnknownImages');
  if (detail === undefined) throw new Error(`no UnknownImages in ${error.message}`);
  const { positions } = UnknownImages.decode(detail.value);
  return Array.from({ length: positions.length * 8 }, (_, image) => image).filter(
    (image) => ((positions[image >> 3] ?? 0) >> (image & 7)) & 1,
  );
}
