import type { PutImagesHeader, PutImagesRequest, PutImagesResponse } from '../../generated/dlclassifier/v1/image_store.js';
import { refuse } from '../errors/refusal.js';
import { ArrivingImages } from '../image_store/arriving_images.js';
import { checkNumber, type ImageKind, imageKind } from '../image_store/image_name.js';
import type { ServerState } from '../state.js';
import type { UploadMessages } from '../upload/messages.js';
import { receiveUpload, type UploadDeclaration } from '../upload/receive.js';
import { announcedImages, imageSizes } from './announced_images.js';
import type { CallContext } from './context.js';
import { namesOf } from './image_names.js';

/** PutImages: stores images, after the digest of each has been compared. */
export async function putImages(messages: UploadMessages<PutImagesRequest>, context: CallContext): Promise<PutImagesResponse> {
  const { server } = context;
  const upload = await receiveUpload(messages, (header) => admit(header, server), context);
  try {
    const arrived = upload.images.arrived(upload.kind, upload.sha256);
    const addedImages = await server.images.add(arrived);
    return { addedImages, presentImages: arrived.length - addedImages };
  } finally {
    upload.sink.close();
  }
}

interface AdmittedImages extends UploadDeclaration {
  readonly images: ArrivingImages;
  readonly kind: ImageKind;
  readonly sha256: readonly Uint8Array[];
}

function admit({ images: batch, sha256 }: PutImagesHeader, server: ServerState): AdmittedImages {
  const store = server.images;
  store.expectAvailable();
  const announced = announcedImages(batch);
  const { count } = announced.description;
  if (count < 1) throw refuse('INVALID_REQUEST', { field: 'images.image_count', problem: 'give at least 1 image' });
  checkNumber(count);
  if (announced.references !== null)
    throw refuse('INVALID_REQUEST', { field: 'images.references', problem: 'leave it out: all images are sent' });
  if (sha256.length !== count) throw refuse('INVALID_REQUEST', { field: 'sha256', problem: `${sha256.length} for ${count} images` });
  const kind = imageKind(announced.description);
  namesOf(sha256, kind, 'sha256');
  const sizes = imageSizes(announced);
  const empty = sizes.indexOf(0);
  if (empty >= 0) throw refuse('INVALID_REQUEST', { field: `images.encoded_sizes[${empty}]`, problem: 'no image file has 0 bytes' });
  const largest = sizes.reduce((maximum, size) => Math.max(maximum, size), 0);
  expectAtMost('stored_image_bytes', largest, store.maximumImageBytes);
  expectAtMost('stored_bytes', announced.totalBytes, store.maximumBytes);
  expectAtMost('upload_bytes', announced.totalBytes, server.limits.uploadBytes);
  const release = server.uploads.reserve(announced.totalBytes);
  const images = new ArrivingImages(sizes);
  const sink = {
    write: (offset: number, pieces: readonly Uint8Array[], checksum: number) => images.write(offset, pieces, checksum),
    close: () => {
      images.close();
      release();
    },
  };
  return { totalBytes: announced.totalBytes, sink, images, kind, sha256 };
}

function expectAtMost(limit: string, got: number, maximum: number): void {
  if (got > maximum) throw refuse('LIMIT_EXCEEDED', { limit, got, maximum });
}
