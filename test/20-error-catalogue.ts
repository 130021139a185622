import { readFileSync } from 'node:fs';
import { status } from '@grpc/grpc-js';
import test from 'ava';
import { ErrorReason } from '../generated/dlclassifier/v1/error.js';
import { type CatalogueEntry, catalogue, type Reason } from '../server/errors/catalogue.js';
import { Refusal, refuse } from '../server/errors/refusal.js';

const PREFIX = 'ERROR_REASON_';
const entries = Object.entries(catalogue) as [Reason, CatalogueEntry][];

/** What the contract's comment says of a reason. */
interface Documented {
  readonly number: number | null;
  readonly status: string;
  readonly metadata: readonly string[];
  readonly retry: boolean;
}

/** Reads `// 2450, NOT_FOUND: no such handle ... `handle_kind`.` above each value of the enum. */
function contract(): Map<string, Documented> {
  const proto = readFileSync(new URL('../proto/dlclassifier/v1/error.proto', import.meta.url), 'utf8');
  const documented = new Map<string, Documented>();
  for (const [, comment = '', name = ''] of proto.matchAll(/((?:^\s*\/\/.*\n)+)\s*ERROR_REASON_(\w+) = \d+;/gm)) {
    const text = comment.replaceAll(/^\s*\/\/ ?/gm, '').replaceAll('\n', ' ');
    const [, number, code = ''] = /^(?:(\d+), )?([A-Z_]+): /.exec(text) ?? [];
    const metadata = [...text.matchAll(/`(\w+)`/g)].map(([, key = '']) => key);
    documented.set(name, {
      number: number === undefined ? null : Number(number),
      status: code,
      metadata,
      retry: /same call may succeed/.test(text),
    });
  }
  documented.delete('UNSPECIFIED');
  return documented;
}

test('has every reason of the contract and no other', (t) => {
  const reasons = Object.keys(ErrorReason).filter((name) => name.startsWith(PREFIX) && name !== `${PREFIX}UNSPECIFIED`);
  t.deepEqual(entries.map(([reason]) => PREFIX + reason).sort(), reasons.sort());
});

for (const [reason, entry] of entries) {
  test(`${reason} has the number, status and retry that the contract documents`, (t) => {
    const documented = contract().get(reason);
    t.is(entry.number, documented?.number ?? null);
    t.is(status[entry.status], documented?.status ?? '');
    t.is(entry.retry, documented?.retry ?? false);
  });

  test(`${reason} carries the metadata that the contract documents, and its message tells it`, (t) => {
    const documented = contract().get(reason)?.metadata ?? [];
    const known: readonly string[] = [...entry.required, ...entry.optional];
    const parameterNames = ['batch_size_multiplier', 'image_width', 'image_height', 'classes', 'expected_step', 'encoded_sizes'];
    for (const key of documented.filter((name) => reason === 'WRONG_IMAGE_COUNT' || !parameterNames.includes(name))) {
      t.true(known.includes(key), `${key} is documented`);
    }
    for (const key of known) t.true(documented.includes(key), `${key} is not documented`);
    // An invalid label has none that it always carries: its kinds have tests of their own below.
    const keys = reason === 'INVALID_LABEL' ? ['got'] : entry.required;
    const metadata = Object.fromEntries(keys.map((key) => [key, `<${key}>`]));
    const message = entry.message(metadata);
    t.notRegex(message, /undefined|null|NaN/);
    for (const key of entry.required) t.true(message.replaceAll(' ', '_').includes(`<${key}>`), `tells ${key}`);
  });
}

test('a refusal is an error with all that the caller needs', (t) => {
  const cause = new Error('below');
  const refusal = refuse('WRONG_VALUE', { name: 'momentum', got: 1.5, wanted: 'a number in [0, 1)' }, { cause });
  t.true(refusal instanceof Refusal);
  t.is(refusal.reason, 'WRONG_VALUE');
  t.is(refusal.number, 1303);
  t.is(refusal.status, status.INVALID_ARGUMENT);
  t.false(refusal.retry);
  t.deepEqual(refusal.metadata, { name: 'momentum', got: '1.5', wanted: 'a number in [0, 1)' });
  t.is(refusal.message, 'momentum is 1.5; give a number in [0, 1)');
  t.is(refusal.cause, cause);
});

test('a label is told by its image, or by the two counts', (t) => {
  t.regex(refuse('INVALID_LABEL', { image: 3, got: '"cat"' }).message, /^image 3: the label is "cat"; give one of classes/);
  t.is(refuse('INVALID_LABEL', { got_count: 3, wanted_count: 4 }).message, '3 labels for 4 images; give one label an image');
});
