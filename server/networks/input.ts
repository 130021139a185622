import type { InputLayer } from '../../native/graph.js';
import type { Channels } from './definition.js';

/** Mean and standard deviation of ImageNet's red, green and blue in 0..1, as torchvision's weights were trained with. */
const MEAN = [0.485, 0.456, 0.406] as const;
const DEVIATION = [0.229, 0.224, 0.225] as const;

/** Our choice for grey images, about which torchvision says nothing: the mean of the three constants. */
const GREY_MEAN = [average(MEAN)] as const;
const GREY_DEVIATION = [average(DEVIATION)] as const;

/** Of a grey value g of 8 bits the contract sends v = g - 127. */
const OFFSET = 127;

/** ((g / 255) - mean) / deviation with g = v + 127, written as v * scale + shift. */
export function torchvisionInput(channels: Channels): InputLayer {
  const mean: readonly number[] = channels === 3 ? MEAN : GREY_MEAN;
  const deviation: readonly number[] = channels === 3 ? DEVIATION : GREY_DEVIATION;
  return {
    kind: 'input',
    name: 'input',
    scale: deviation.map((d) => 1 / (255 * d)),
    shift: deviation.map((d, channel) => (OFFSET / 255 - (mean[channel] ?? 0)) / d),
  };
}

/** Brings -127..128 to about the deviation 1 of a photograph; a power of two, so that it is exact. */
const PHOTOGRAPH_SCALE = 1 / 64;

/** The input of our own networks. */
export function photographInput(channels: Channels): InputLayer {
  const perChannel = (value: number): number[] => Array<number>(channels).fill(value);
  return { kind: 'input', name: 'input', scale: perChannel(PHOTOGRAPH_SCALE), shift: perChannel(0) };
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
