import { refuse } from '../errors/refusal.js';
import type { Channels } from '../networks/definition.js';
import { networks } from '../networks/index.js';
import { type Draft, type ParameterDefinition, parameter, type SetEnvironment } from './definition.js';

/** Pixels in a row and rows beyond which a set is a mistake rather than a wish. */
const MAXIMUM_SIZE = 32_768n;

/** What float images must lie in. */
const IMAGE_RANGE = { min: -127, max: 128 } as const;

const SIZE_RANGE = `an integer from the network's minimum to ${MAXIMUM_SIZE}`;
const MINIMA = networks.map(({ name, minSize }) => `${name} ${minSize}`).join(', ');
const SIZE_RESET = `${names(false)}: weights, biases and solver's state of the fully connected layers. ${names(true)}: nothing.`;
const CHANNELS_RESET =
  "From 3 to 1 the first convolution's filters are summed over their channels and its solver's state is set to 0; all else is kept.";

/** The shape of the images. */
export const imageParameters: readonly ParameterDefinition[] = [
  parameter({
    name: 'image_width',
    type: 'int',
    range: SIZE_RANGE,
    default: '224',
    reinitializes: SIZE_RESET,
    documentation: `Pixels in a row of each image. Below the minimum of the network (${MINIMA}) it is refused.`,
    get: ({ settings }) => [BigInt(settings.imageWidth)],
    set: (draft, [value], environment) => {
      draft.imageWidth = checkSize('image_width', value, environment, draft.imageWidth);
    },
  }),
  parameter({
    name: 'image_height',
    type: 'int',
    range: SIZE_RANGE,
    default: '224',
    reinitializes: SIZE_RESET,
    documentation: `Rows of each image. Below the minimum of the network (${MINIMA}) it is refused.`,
    get: ({ settings }) => [BigInt(settings.imageHeight)],
    set: (draft, [value], environment) => {
      draft.imageHeight = checkSize('image_height', value, environment, draft.imageHeight);
    },
  }),
  parameter({
    name: 'image_num_channels',
    type: 'int',
    range: '1 or 3',
    default: '3',
    reinitializes: CHANNELS_RESET,
    documentation: 'Channels of each image: 1 (grey) or 3 (red, green, blue). A classifier of 1 channel cannot go back to 3.',
    get: ({ settings }) => [BigInt(settings.imageChannels)],
    set: setChannels,
  }),
  parameter({
    name: 'image_dimensions',
    type: 'int',
    count: 3,
    range: 'width, height and channels, each as the parameter of its own',
    default: '224, 224, 3',
    reinitializes: 'What its parts reset.',
    documentation: 'The shape at once: image_width, image_height and image_num_channels.',
    get: ({ settings }) => [settings.imageWidth, settings.imageHeight, settings.imageChannels].map(BigInt),
    set: (draft, [width, height, channels], environment) => {
      draft.imageWidth = checkSize('image_width', width, environment, draft.imageWidth);
      draft.imageHeight = checkSize('image_height', height, environment, draft.imageHeight);
      setChannels(draft, [channels]);
    },
  }),
  parameter({
    name: 'image_range_min',
    type: 'real',
    documentation: `Smallest value that float images may hold: ${IMAGE_RANGE.min}. Images of 8 bits are brought there by subtracting 127.`,
    get: () => [IMAGE_RANGE.min],
  }),
  parameter({
    name: 'image_range_max',
    type: 'real',
    documentation: `Largest value that float images may hold: ${IMAGE_RANGE.max}.`,
    get: () => [IMAGE_RANGE.max],
  }),
];

/** Of the networks whose weights another size keeps, or not. */
function names(keepsWeights: boolean): string {
  return networks
    .filter(({ resizeKeepsWeights }) => resizeKeepsWeights === keepsWeights)
    .map(({ name }) => name)
    .join(', ');
}

function checkSize(name: string, value: bigint | undefined, { network }: SetEnvironment, present: number): number {
  const size = value ?? 0n;
  if (!network.resizable && Number(size) !== present) throw refuse('NOT_RESIZABLE', { network: network.name });
  if (size < BigInt(network.minSize)) throw refuse('IMAGE_SIZE_TOO_SMALL', { name, got: size, minimum: network.minSize });
  if (size > MAXIMUM_SIZE) throw refuse('WRONG_VALUE', { name, got: size, wanted: `at most ${MAXIMUM_SIZE}` });
  return Number(size);
}

function setChannels(draft: Draft, [value]: readonly (bigint | undefined)[]): void {
  if (value !== 1n && value !== 3n) throw refuse('UNSUPPORTED_CHANNELS', { got: String(value) });
  if (draft.imageChannels === 1 && value === 3n) throw refuse('CHANNELS_NOT_EXTENDABLE');
  draft.imageChannels = Number(value) as Channels;
}
