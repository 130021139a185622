/** What changes of classes, size and channels keep of each network's weights, and what they initialise anew. */
import anyTest, { type TestFn } from 'ava';
import { engineBinding } from '../native/index.js';
import type { Classifier } from '../server/classifier/classifier.js';
import { ClassifierFactory } from '../server/classifier/classifier_factory.js';
import type { Device } from '../server/devices/device.js';
import { Devices } from '../server/devices/devices.js';
import { Refusal } from '../server/errors/refusal.js';
import { createLogger } from '../server/log.js';
import type { NetworkDefinition } from '../server/networks/definition.js';
import { networks } from '../server/networks/index.js';

interface Context {
  readonly devices: Devices;
  readonly factory: ClassifierFactory;
  readonly device: Device;
}

const test = anyTest as TestFn<Context>;

test.before((t) => {
  const devices = new Devices({ binding: engineBinding(), threads: 2, memoryBytes: 8 * 2 ** 30, log: createLogger('silent') });
  t.context = { devices, factory: new ClassifierFactory(devices), device: devices.cpu };
});

test.after.always((t) => t.context.devices.close());

/** The layer that reads the images and the layers that another image size initialises anew. */
const LAYERS: Readonly<Record<string, { first: string; bySize: readonly string[] }>> = {
  compact: { first: 'block1.conv', bySize: [] },
  enhanced: { first: 'stage1.0.conv', bySize: ['hidden', 'classifier'] },
  alexnet: { first: 'features.0', bySize: ['classifier.1', 'classifier.4', 'classifier.6'] },
  resnet18: { first: 'conv1', bySize: [] },
  resnet50: { first: 'conv1', bySize: [] },
  mobilenet_v2: { first: 'features.0.0', bySize: [] },
};

const BATCH = 2;
/** Of two images, and features of 1 x 1, a batch norm sees two values; fifty of them in a row make gradients of 1e8. */
const LEARNING_RATE = 1e-12;

/** A classifier for the network's smallest images whose momentum is not 0. */
async function trained({ factory, device }: Context, network: NetworkDefinition, channels: bigint): Promise<Classifier> {
  const classifier = await factory.fresh(network, 5n, device);
  const size = BigInt(network.minSize);
  await classifier.setParameters([
    { name: 'image_dimensions', values: [size, size, channels] },
    { name: 'classes', values: ['a', 'b'] },
    { name: 'batch_size', values: [BigInt(BATCH)] },
    { name: 'learning_rate', values: [LEARNING_RATE] },
  ]);
  await train(classifier);
  return classifier;
}

async function train(classifier: Classifier): Promise<void> {
  const { imageWidth: width, imageHeight: height, imageChannels: channels } = classifier.settings;
  const pixels = Uint8Array.from({ length: BATCH * height * width * channels }, (_, index) => (index * 37 + (index >> 5)) % 256);
  const buffer = new (engineBinding().StagingBuffer)(pixels.length);
  buffer.write(0, pixels);
  await classifier.train({
    images: { format: 'uint8', count: BATCH, width, height, channels },
    labels: ['a', 'b'],
    expectedStep: null,
    parameters: [],
    pixels: { buffer, format: 'uint8', count: BATCH },
    uploadSeconds: 0,
    committed: performance.now(),
  });
  buffer.close();
}

/** Weights and momentum by the names that a file gives them. */
async function tensorsOf(classifier: Classifier): Promise<Map<string, Float32Array>> {
  return new Map((await classifier.toRecord()).tensors.map(({ name, data }) => [name, data]));
}

/** Names of the layers whose values or momentum differ, momentum with its prefix. */
function changedLayers(before: ReadonlyMap<string, Float32Array>, after: ReadonlyMap<string, Float32Array>): string[] {
  const bytes = (values: Float32Array | undefined) =>
    Buffer.from(values?.buffer ?? new ArrayBuffer(), values?.byteOffset, values?.byteLength);
  const names = [...new Set([...before.keys(), ...after.keys()])].filter((name) => !bytes(before.get(name)).equals(bytes(after.get(name))));
  return [...new Set(names.map((name) => name.slice(0, name.lastIndexOf('.'))))].sort();
}

const withMomentum = (layers: readonly string[]) => layers.flatMap((name) => [name, `momentum/${name}`]).sort();

function momentumIsZero(tensors: ReadonlyMap<string, Float32Array>, layer: string): boolean {
  const found = [...tensors].filter(([name]) => name.startsWith(`momentum/${layer}.`));
  return found.length > 0 && found.every(([, values]) => values.every((value) => value === 0));
}

/** Height times width of a convolution's kernel. */
function kernelPositions(network: NetworkDefinition, name: string): number {
  const { layers } = network.graph({ classes: 2, channels: 3, width: network.defaultSize, height: network.defaultSize });
  const layer = layers.find((candidate) => candidate.name === name);
  if (layer?.kind !== 'convolution') throw new Error(`${name} is no convolution`);
  return layer.kernel[0] * layer.kernel[1];
}

/** Whether grey (filters, 1, positions) is colour (filters, 3, positions) summed over the channels. */
function isChannelSum(grey: ArrayLike<number>, colour: ArrayLike<number>, positions: number): boolean {
  return (
    Array.from(grey).every((value, index) => {
      const begin = Math.floor(index / positions) * 3 * positions + (index % positions);
      const sum = [0, 1, 2].reduce((total, channel) => total + (colour[begin + channel * positions] ?? Number.NaN), 0);
      return Math.abs(value - sum) < 1e-6;
    }) && grey.length * 3 === colour.length
  );
}

for (const network of networks) {
  const { first, bySize } = LAYERS[network.name] ?? { first: '', bySize: [] };

  test.serial(
    `${network.name}: another size initialises ${bySize.join(', ') || 'nothing'} anew and sets their momentum to 0`,
    async (t) => {
      const classifier = await trained(t.context, network, 3n);
      const before = await tensorsOf(classifier);
      // Four pixels more leave the shapes of alexnet's weights as they are: they begin anew all the same.
      const set = await classifier.setParameters([{ name: 'image_width', values: [BigInt(network.minSize + 4)] }]);
      t.deepEqual(set.toSorted(), bySize.toSorted());
      const after = await tensorsOf(classifier);
      t.deepEqual(changedLayers(before, after), withMomentum(bySize));
      for (const layer of bySize) t.true(momentumIsZero(after, layer), layer);
      await train(classifier);
      t.is(classifier.step, 2);
      await classifier.close();
    },
  );

  test.serial(`${network.name}: other classes initialise ${network.classLayer} anew and nothing else`, async (t) => {
    const classifier = await trained(t.context, network, 3n);
    const before = await tensorsOf(classifier);
    t.deepEqual(await classifier.setParameters([{ name: 'classes', values: ['b', 'a'] }]), [network.classLayer]);
    const after = await tensorsOf(classifier);
    t.deepEqual(changedLayers(before, after), withMomentum([network.classLayer]));
    t.true(momentumIsZero(after, network.classLayer));
    await classifier.close();
  });

  test.serial(`${network.name}: from 3 channels to 1 the filters of ${first} are summed, back is refused`, async (t) => {
    const classifier = await trained(t.context, network, 3n);
    const before = await tensorsOf(classifier);
    t.deepEqual(await classifier.setParameters([{ name: 'image_num_channels', values: [1n] }]), []);
    const after = await tensorsOf(classifier);
    t.deepEqual(
      changedLayers(before, after).filter((layer) => layer !== `momentum/${first}`),
      [first],
    );
    t.true(momentumIsZero(after, first));
    t.true(isChannelSum(after.get(`${first}.weight`) ?? [], before.get(`${first}.weight`) ?? [], kernelPositions(network, first)));
    await train(classifier);
    const refused = await t.throwsAsync(classifier.setParameters([{ name: 'image_num_channels', values: [3n] }]), { instanceOf: Refusal });
    t.is(refused?.reason, 'CHANNELS_NOT_EXTENDABLE');
    await classifier.close();
  });
}
