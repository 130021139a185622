import type { HasImagesRequest, HasImagesResponse } from '../../generated/dlclassifier/v1/image_store.js';
import type { CallContext } from './context.js';
import { imageNames } from './image_names.js';

/** HasImages: which of these images a caller would have to put. */
export async function hasImages({ images }: HasImagesRequest, { server }: CallContext): Promise<HasImagesResponse> {
  return { missing: server.images.missing(imageNames(images)) };
}
