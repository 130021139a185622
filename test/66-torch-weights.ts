/** Weights travel from PyTorch to the daemon and from the daemon to PyTorch by safetensors files, bit by bit. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { call, connectTo } from './support/calls.js';
import { startDaemon } from './support/daemon.js';
import { runPython } from './support/python.js';

/** As torchvision's weights for ImageNet have it. */
const CLASSES = 1000;

type Digests = Readonly<Record<string, string>>;

test("PyTorch's weights of resnet18 come back bit-equal from the file that the daemon stores", async (t) => {
  const daemon = await startDaemon();
  const client = connectTo(daemon.address);
  await mkdir(join(daemon.models, 'pretrained'), { recursive: true });
  const made = await runPython('torch_weights.py', {
    make: join(daemon.models, 'pretrained', 'resnet18.safetensors'),
    seed: 9,
    classes: CLASSES,
  });

  const { classifier } = await call(client, 'readClassifier', {
    fileName: 'pretrained_dl_classifier_resnet18.hdl',
    pretrained: true,
    seed: undefined,
  });
  const { fileName } = await call(client, 'writeClassifier', { classifier, fileName: 'round_trip' });
  const loaded = (await runPython('torch_weights.py', { load: join(daemon.models, fileName), classes: CLASSES })) as Digests;

  t.is(Object.keys(loaded).length, 102);
  t.deepEqual(loaded, made as Digests);
  client.close();
  await daemon.stop();
});
