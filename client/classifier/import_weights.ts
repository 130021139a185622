import { ClassifierServiceService as service } from '../../generated/dlclassifier/v1/classifier_service.js';
import { ImportWeightsRequest, type ImportWeightsResponse } from '../../generated/dlclassifier/v1/weights.js';
import type { CallOptions } from '../transport/call_options.js';
import type { Connection } from '../transport/connection.js';
import { uploadBody } from '../upload/body.js';
import { send } from '../upload/send.js';
import { unsigned32, unsigned64 } from '../upload/unsigned.js';

export interface ImportWeightsOptions extends CallOptions {
  /** Name of the classifier to store; left out: the weights become the network's trained weights. */
  readonly name?: string | undefined;
  /** Names of its classes, only with `name`: where the file has as many, its last layer is kept. @default none, to be set later */
  readonly classes?: readonly string[] | undefined;
  /**
   * Width and height of its images, only with `name`: those that the weights were trained with where the network is `enhanced` or `alexnet`,
   * whose fully connected layers fit one size. @default the network's, 224 x 224
   */
  readonly imageSize?: readonly [width: number, height: number] | undefined;
  /** Seed of a last layer that is initialised anew, only with `name`. @default drawn by the server */
  readonly seed?: number | bigint | undefined;
  /** What errors call the bytes, for instance the file's name. */
  readonly source?: string | undefined;
}

/** @throws RangeError where an option cannot be sent */
export async function sendWeights(
  connection: Connection,
  bytes: Uint8Array,
  network: string,
  options: ImportWeightsOptions,
): Promise<ImportWeightsResponse> {
  const { name, classes = [], imageSize, seed, source = '' } = options;
  // Left out, they have a meaning of their own in the contract.
  if (name === '') throw new RangeError('name is empty: give one, or leave it out for trained weights of the network');
  if (imageSize?.includes(0)) throw new RangeError(`imageSize is ${imageSize.join(' x ')}: give integers above 0, or leave it out`);
  const [width, height] = imageSize ?? [0, 0];
  const upload = {
    method: service.importWeights,
    header: {
      network,
      totalBytes: BigInt(bytes.byteLength),
      fileName: name ?? '',
      classes: [...classes],
      seed: seed === undefined ? undefined : unsigned64(seed, 'seed'),
      source,
      imageWidth: unsigned32(width, 'imageSize'),
      imageHeight: unsigned32(height, 'imageSize'),
    },
    body: uploadBody([bytes]),
    message: (fields: Pick<ImportWeightsRequest, 'header' | 'commit'>): ImportWeightsRequest => ImportWeightsRequest.fromPartial(fields),
  };
  return send(connection, upload, options);
}
