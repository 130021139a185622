import test from 'ava';
import { engineBinding } from '../native/index.js';
import { makeEngine, makeModel } from './support/engine.js';

const binding = engineBinding();
const engine = makeEngine();
const model = makeModel(engine);
const buffer = new binding.StagingBuffer(16);
const workers = new binding.ImageWorkers({ threads: 1, queueLength: 1 });
test.after.always(() => Promise.all([engine.close(), workers.close()]));

const OBJECTS = { Engine: engine, Model: model, StagingBuffer: buffer, ImageWorkers: workers } as const;
type ClassName = keyof typeof OBJECTS;

/** What a method or a getter of `name` must not take for its own object. */
function strangers(name: ClassName): unknown[] {
  const others = Object.entries(OBJECTS).filter(([other]) => other !== name);
  const prototype = binding[name].prototype;
  const subclassed = Reflect.construct(binding.StagingBuffer, [4], name === 'StagingBuffer' ? Object : binding[name]);
  return [
    ...others.map(([, object]) => object),
    prototype,
    Object.create(prototype),
    Object.create(OBJECTS[name]),
    new Proxy(OBJECTS[name], {}),
    ...(name === 'StagingBuffer' ? [] : [subclassed]),
    {},
    () => undefined,
    Symbol('stranger'),
    0,
    'stranger',
    null,
    undefined,
  ];
}

for (const name of Object.keys(OBJECTS) as ClassName[]) {
  for (const [member, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(binding[name].prototype))) {
    if (member === 'constructor') continue;

    test(`${name}.${member} throws a TypeError for a wrong this`, (t) => {
      const call = descriptor.get ?? (descriptor.value as () => unknown);
      for (const stranger of strangers(name)) t.throws(() => Reflect.apply(call, stranger, []), { instanceOf: TypeError });
    });
  }

  test(`${name} cannot be called without new`, (t) => {
    for (const self of [undefined, {}, OBJECTS[name]]) {
      t.throws(() => Reflect.apply(binding[name], self, []), { instanceOf: TypeError, message: /call it with new/ });
    }
  });

  test(`${name} without arguments is refused`, (t) => {
    t.throws(() => Reflect.construct(binding[name], []), { name: 'EngineError' });
  });
}

test('an object of a subclass is an object of the class', (t) => {
  class Named extends binding.StagingBuffer {
    readonly label = 'pixels';
  }
  const named = new Named(8);
  named.write(0, new Uint8Array(8));
  t.is(named.byteLength, 8);
  t.is(named.label, 'pixels');
});
