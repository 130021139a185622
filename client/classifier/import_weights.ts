import { ClassifierServiceService as service } from '../../generated/dlclassifier/v1/classifier_service.js';
import { ImportWeightsRequest, type ImportWeightsResponse } from '../../generated/dlclassifier/v1/weights.js';
import type { CallOptions } from '../transport/call_options.js';
import type { Connection } from '../transport/connection.js';
import { uploadBody } from '../upload/body.js';
import { send } from '../upload/send.js';

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

export function sendWeights(
  connection: Connection,
  bytes: Uint8Array,
  network: string,
  options: ImportWeightsOptions,
): Promise<ImportWeightsResponse> {
  const { name = '', classes = [], imageSize: [imageWidth, imageHeight] = [0, 0], seed, source = '' } = options;
  const upload = {
    method: service.importWeights,
    header: {
      network,
      totalBytes: BigInt(bytes.byteLength),
      fileName: name,
      classes: [...classes],
      seed: seed === undefined ? undefined : BigInt(seed),
      source,
      imageWidth,
      imageHeight,
    },
    body: uploadBody([bytes]),
    message: (fields: Pick<ImportWeightsRequest, 'header' | 'commit'>): ImportWeightsRequest => ImportWeightsRequest.fromPartial(fields),
  };
  return send(connection, upload, options);
}
