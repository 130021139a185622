import type { GetStoreInfoRequest, GetStoreInfoResponse } from '../../generated/dlclassifier/v1/image_store.js';
import type { CallContext } from './context.js';

/** GetStoreInfo: how much is stored, how much may be, and how well it is used. */
export async function getStoreInfo(_request: GetStoreInfoRequest, { server }: CallContext): Promise<GetStoreInfoResponse> {
  const { images } = server;
  return {
    problem: images.problem,
    images: BigInt(images.count),
    bytes: BigInt(images.bytes),
    maximumBytes: BigInt(images.maximumBytes),
    maximumImageBytes: BigInt(images.maximumImageBytes),
    pixelBytes: BigInt(images.pixels.bytes),
    maximumPixelBytes: BigInt(images.pixels.maximum),
    evictedImages: BigInt(images.evicted),
    damagedImages: BigInt(images.damaged),
    pixelHits: BigInt(images.pixels.hits),
    pixelMisses: BigInt(images.pixels.misses),
  };
}
