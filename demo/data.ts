import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type LabelledImages, readIdxImages, readImageSheets } from '../client/index.js';
import { PACKAGE_ROOT } from '../package/root.js';
import type { DataSetName } from './options.js';

/** Real labelled images, those to train on and those to judge by. */
export interface DemoData {
  readonly title: string;
  /** In the order of the labels. */
  readonly classes: readonly string[];
  readonly training: LabelledImages;
  readonly test: LabelledImages;
  /** Whether an image may be mirrored left to right and still be of its class. */
  readonly mirrored: boolean;
}

const FASHION = ['T-shirt', 'trouser', 'pullover', 'dress', 'coat', 'sandal', 'shirt', 'sneaker', 'bag', 'ankle boot'];
const DIGITS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];
const CIFAR = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];

/** Reads a data set; one that is not on this machine is fetched first. */
export async function loadData(name: DataSetName, say: (line: string) => void, signal: AbortSignal): Promise<DemoData> {
  if (name === 'cifar10') return await cifar10(await dataFolder('cifar10', signal));
  if (name === 'mnist') return await mnist(await dataFolder('mnist', signal));
  try {
    return await fashionMnist(await dataFolder('fashion-mnist', signal));
  } catch (error) {
    signal.throwIfAborted();
    say(`Fashion-MNIST is not to be had here; MNIST takes its place. ${error instanceof Error ? error.message : error}`);
    return await mnist(await dataFolder('mnist', signal));
  }
}

/** scripts/dataset knows where each comes from; it prints the folder. */
async function dataFolder(name: DataSetName, signal: AbortSignal): Promise<string> {
  const script = join(PACKAGE_ROOT, 'scripts', 'dataset');
  const { stdout } = await promisify(execFile)(script, [name], { signal });
  return stdout.trim();
}

async function fashionMnist(folder: string): Promise<DemoData> {
  const read = (part: string) => readIdxImages(join(folder, `${part}-images-idx3-ubyte.gz`), join(folder, `${part}-labels-idx1-ubyte.gz`));
  const [training, test] = await Promise.all([read('train'), read('t10k')]);
  return { title: 'Fashion-MNIST: grey photographs of clothes', classes: FASHION, training, test, mirrored: true };
}

async function mnist(folder: string): Promise<DemoData> {
  const path = (name: string) => join(folder, 'data', name);
  const read = (part: string) => readIdxImages(path(`${part}-images-idx3-ubyte`), path(`${part}-labels-idx1-ubyte`));
  const [training, test] = await Promise.all([read('train'), read('t10k')]);
  return { title: 'MNIST: handwritten digits', classes: DIGITS, training, test, mirrored: false };
}

async function cifar10(folder: string): Promise<DemoData> {
  const size = { width: 32, height: 32 };
  const sheets = [1, 2, 3, 4, 5].map((number) => join(folder, `data_batch_${number}.png`));
  const [training, test] = await Promise.all([
    readImageSheets(sheets, join(folder, 'train_lables.json'), size),
    readImageSheets([join(folder, 'test_batch.png')], join(folder, 'test_lables.json'), size),
  ]);
  return { title: 'CIFAR-10: colour photographs of animals and vehicles', classes: CIFAR, training, test, mirrored: true };
}
