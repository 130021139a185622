import { PixelFormat } from '../../../generated/dlclassifier/v1/image.js';
import { train } from '../wire.js';
import { batchWith, trainWith } from './bad_batches.js';
import type { Case } from './case.js';

export const uploadCases: readonly Case[] = [
  {
    what: 'an upload without a commit',
    reason: 'UPLOAD_TRUNCATED',
    metadata: { got: '3072', wanted: '3072' },
    act: (s) => trainWith(s, (messages) => messages.slice(0, -1)),
  },
  {
    what: 'an upload of too few bytes',
    reason: 'UPLOAD_TRUNCATED',
    metadata: { got: '3000', wanted: '3072' },
    act: (s) =>
      trainWith(s, ([header, , commit]) =>
        [header, { header: undefined, pixels: new Uint8Array(3000), commit: undefined }, commit].filter((m) => m !== undefined),
      ),
  },
  {
    what: 'an upload of too many bytes',
    reason: 'UPLOAD_MALFORMED',
    metadata: { problem: /3073 bytes came, 3072 were declared/ },
    act: (s) =>
      trainWith(s, ([header, , commit]) =>
        [header, { header: undefined, pixels: new Uint8Array(3073), commit: undefined }, commit].filter((m) => m !== undefined),
      ),
  },
  {
    what: 'an upload without a header',
    reason: 'UPLOAD_MALFORMED',
    metadata: { problem: /first message has no header/ },
    act: (s) => trainWith(s, (messages) => messages.slice(1)),
  },
  {
    what: 'an upload with two headers',
    reason: 'UPLOAD_MALFORMED',
    metadata: { problem: /second header/ },
    act: (s) => trainWith(s, (messages) => [...messages.slice(0, 1), ...messages]),
  },
  {
    what: 'files of which the sizes do not tell as many as there are',
    reason: 'UPLOAD_MALFORMED',
    metadata: { problem: '1 encoded_sizes for 4 image files' },
    act: ({ client, classifier }) =>
      train(client, classifier, batchWith({ format: PixelFormat.PIXEL_FORMAT_ENCODED, encodedSizes: [3072] })),
  },
  {
    what: 'bytes that changed on the way',
    reason: 'UPLOAD_CHECKSUM_MISMATCH',
    metadata: { got: /^[0-9a-f]{8}$/, wanted: '00000001' },
    act: (s) =>
      trainWith(s, (messages) => [...messages.slice(0, -1), { header: undefined, pixels: new Uint8Array(), commit: { crc32: 1 } }]),
  },
];
