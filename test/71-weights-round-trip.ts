/** Weights travel from torchvision and timm to the daemon and back to torchvision, bit by bit. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testWithDaemon } from './support/client.js';
import { runPython } from './support/python.js';

const test = testWithDaemon();

type Digests = Readonly<Record<string, string>>;

interface Origin {
  readonly library: 'torchvision' | 'timm';
  readonly network: string;
  readonly classes: number;
  readonly type: 'float32' | 'float16' | 'bfloat16' | 'float64';
  readonly wrapped: boolean;
}

function origin(library: Origin['library'], network: string, options: Partial<Origin> = {}): Origin {
  return { library, network, classes: 1000, type: 'float32', wrapped: false, ...options };
}

const ORIGINS: readonly Origin[] = [
  origin('torchvision', 'resnet18', { wrapped: true, type: 'float16' }),
  origin('torchvision', 'resnet18', { classes: 3 }),
  origin('torchvision', 'resnet50'),
  origin('torchvision', 'mobilenet_v2', { type: 'bfloat16' }),
  origin('torchvision', 'alexnet'),
  origin('timm', 'resnet18', { wrapped: true }),
  origin('timm', 'resnet50', { type: 'float64' }),
  origin('timm', 'mobilenet_v2'),
];

const CLASSES = ['a', 'b', 'c'];

test('weights of torchvision and timm come back into torchvision, those of timm into timm, with strict loading and every bit', async (t) => {
  const { client } = t.context;
  const folder = await mkdtemp(join(tmpdir(), 'dl-classifier-weights-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const file = (name: string, index: number) => join(folder, `${name}-${index}.safetensors`);
  const made = (await runPython('weights_of_others.py', {
    make: ORIGINS.map((from, index) => ({ ...from, file: file('made', index) })),
  })) as Digests[];

  for (const [index, { library, network, classes }] of ORIGINS.entries()) {
    const bytes = await readFile(file('made', index));
    // Trained weights have the classes that they were trained with; a classifier of one's own has names for them.
    const options = classes === 1000 ? {} : { name: 'mine', classes: CLASSES };
    const imported = await client.importWeights(bytes, network, options);
    t.is(imported.fileName, classes === 1000 ? `pretrained/${network}.safetensors` : 'mine.safetensors');
    t.is(imported.tensorCount, Object.keys(made[index] ?? {}).length);
    t.is(imported.naming, library === 'timm' && network === 'mobilenet_v2' ? 'timm' : '');
    t.deepEqual(imported.reinitializedLayers, []);
    await using classifier = await client.readClassifier(classes === 1000 ? `pretrained_dl_classifier_${network}.hdl` : 'mine');
    await writeFile(file('back', index), await classifier.exportSafetensors());
  }
  const load = ORIGINS.map(({ library, network, classes }, index) => ({ library, network, classes, file: file('back', index) }));
  t.deepEqual((await runPython('weights_of_others.py', { load })) as Digests[], made);
});
