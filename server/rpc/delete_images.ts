import type { DeleteImagesRequest, DeleteImagesResponse } from '../../generated/dlclassifier/v1/image_store.js';
import { refuse } from '../errors/refusal.js';
import type { CallContext } from './context.js';
import { imageNames } from './image_names.js';

/** DeleteImages: some of the stored images, or all. */
export async function deleteImages({ selection }: DeleteImagesRequest, { server }: CallContext): Promise<DeleteImagesResponse> {
  const { images } = server;
  if (selection?.$case === 'images') return { deletedImages: BigInt(images.delete(imageNames(selection.value))) };
  if (selection?.value === true) return { deletedImages: BigInt(images.deleteAll()) };
  throw refuse('INVALID_REQUEST', { field: 'selection', problem: 'name the images, or set all to true' });
}
