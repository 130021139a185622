import test from 'ava';
import { Refusal } from '../server/errors/refusal.js';
import { HandleTable, type KindRules } from '../server/handles/handle_table.js';
import { Tombstones } from '../server/handles/tombstones.js';

interface Thing {
  readonly name: string;
  busy?: boolean;
  readonly size?: number;
}

interface Kinds {
  classifier: Thing;
  apply_result: Thing;
}

const IDLE = 1000;

function makeTable(capacity: number | null = null) {
  const clock = { now: 0 };
  const expired: string[] = [];
  const rules = (kindCapacity: number | null): KindRules<Thing> => ({
    capacity: kindCapacity,
    size: ({ size }) => size ?? 1,
    isBusy: ({ busy }) => busy ?? false,
    onExpired: ({ name }) => expired.push(name),
  });
  const table = new HandleTable<Kinds>({ classifier: rules(null), apply_result: rules(capacity) }, IDLE, () => clock.now);
  return { table, clock, expired };
}

function refusalOf(action: () => unknown): Pick<Refusal, 'reason' | 'number' | 'metadata'> {
  try {
    action();
  } catch (error) {
    if (error instanceof Refusal) return { reason: error.reason, number: error.number, metadata: error.metadata };
    throw error;
  }
  throw new Error('nothing was refused');
}

test('a handle is 128 random bits and does not show its kind', (t) => {
  const { table } = makeTable();
  const handles = Array.from({ length: 1000 }, (_, index) => table.add(index % 2 ? 'classifier' : 'apply_result', { name: String(index) }));
  t.is(new Set(handles).size, 1000);
  for (const handle of handles) t.is(Buffer.from(handle, 'base64url').length, 16);
  // Each of the 128 bits is set in about half of the handles: 500 +- 16; 8 deviations never happen by chance.
  for (let bit = 0; bit < 128; bit++) {
    const set = handles.filter((handle) => ((Buffer.from(handle, 'base64url')[bit >> 3] ?? 0) >> (bit & 7)) & 1).length;
    t.true(set > 370 && set < 630, `bit ${bit} is set in ${set} of 1000`);
  }
});

test('a handle stands for what it was given out for', (t) => {
  const { table } = makeTable();
  const [a, b] = [{ name: 'a' }, { name: 'b' }];
  const [handleA, handleB] = [table.add('classifier', a), table.add('classifier', b)];
  t.is(table.get('classifier', handleA), a);
  t.is(table.get('classifier', handleB), b);
});

test('a handle that was never given out is unknown', (t) => {
  const { table } = makeTable();
  for (const handle of ['', 'x', 'AAAAAAAAAAAAAAAAAAAAAA', 'toString', '__proto__']) {
    t.deepEqual(
      refusalOf(() => table.get('classifier', handle)),
      {
        reason: 'UNKNOWN_HANDLE',
        number: 2450,
        metadata: { handle_kind: 'classifier' },
      },
    );
  }
});

test('a cleared handle is told from an unknown one', (t) => {
  const { table } = makeTable();
  const handle = table.add('classifier', { name: 'a' });
  t.deepEqual(table.clear('classifier', [handle]), [{ name: 'a' }]);
  const cleared = { reason: 'HANDLE_CLEARED', number: 2454, metadata: { handle_kind: 'classifier' } } as const;
  t.deepEqual(
    refusalOf(() => table.get('classifier', handle)),
    cleared,
  );
  t.deepEqual(
    refusalOf(() => table.clear('classifier', [handle])),
    cleared,
  );
});

test('a handle of another kind is refused, open or cleared', (t) => {
  const { table } = makeTable();
  const handle = table.add('apply_result', { name: 'a' });
  const wrong = {
    reason: 'WRONG_HANDLE_KIND',
    number: 2404,
    metadata: { handle_kind: 'apply_result', wanted_kind: 'classifier' },
  } as const;
  t.deepEqual(
    refusalOf(() => table.get('classifier', handle)),
    wrong,
  );
  t.deepEqual(
    refusalOf(() => table.clear('classifier', [handle])),
    wrong,
  );
  table.clear('apply_result', [handle]);
  t.deepEqual(
    refusalOf(() => table.get('classifier', handle)),
    wrong,
  );
});

test('clearing several is all or none', (t) => {
  const { table } = makeTable();
  const [a, b] = [table.add('classifier', { name: 'a' }), table.add('classifier', { name: 'b' })];
  const other = table.add('apply_result', { name: 'c' });
  t.is(refusalOf(() => table.clear('classifier', [a, b, other])).number, 2404);
  t.is(refusalOf(() => table.clear('classifier', [a, 'unknown', b])).number, 2450);
  t.is(table.get('classifier', a).name, 'a');
  t.deepEqual(
    table.clear('classifier', [a, b, a]).map(({ name }) => name),
    ['a', 'b'],
  );
  t.deepEqual(table.clear('classifier', []), []);
});

test('an unused handle expires, at a look and at the sweep', (t) => {
  const { table, clock, expired } = makeTable();
  const [looked, swept] = [table.add('classifier', { name: 'looked' }), table.add('classifier', { name: 'swept' })];
  clock.now = IDLE - 1;
  table.expire();
  t.deepEqual(expired, []);
  clock.now = IDLE;
  t.is(refusalOf(() => table.get('classifier', looked)).number, 2454);
  t.deepEqual(expired, ['looked']);
  table.expire();
  t.deepEqual(expired, ['looked', 'swept']);
  t.is(refusalOf(() => table.get('classifier', swept)).number, 2454);
});

test('use keeps a handle open', (t) => {
  const { table, clock, expired } = makeTable();
  const [got, touched] = [table.add('classifier', { name: 'got' }), table.add('classifier', { name: 'touched' })];
  table.add('classifier', { name: 'unused' });
  clock.now = IDLE - 1;
  table.get('classifier', got);
  table.touch(touched);
  clock.now = IDLE + 1;
  table.expire();
  t.deepEqual(expired, ['unused']);
});

test('what is in use does not expire', (t) => {
  const { table, clock, expired } = makeTable();
  const value: Thing = { name: 'a', busy: true };
  const handle = table.add('classifier', value);
  clock.now = 10 * IDLE;
  table.expire();
  t.is(table.get('classifier', handle), value);
  value.busy = false;
  clock.now = 20 * IDLE;
  table.expire();
  t.deepEqual(expired, ['a']);
});

test('beyond its capacity a kind loses the least recently used', (t) => {
  const { table, expired } = makeTable(10);
  const first = table.add('apply_result', { name: 'first', size: 4 });
  table.add('apply_result', { name: 'second', size: 4 });
  table.add('classifier', { name: 'of another kind', size: 100 });
  table.get('apply_result', first);
  table.add('apply_result', { name: 'third', size: 4 });
  t.deepEqual(expired, ['second']);
  t.is(table.get('apply_result', first).name, 'first');
});

test('what alone is beyond the capacity stays until the next comes', (t) => {
  const { table, expired } = makeTable(10);
  const big = table.add('apply_result', { name: 'big', size: 11 });
  t.is(table.get('apply_result', big).name, 'big');
  table.add('apply_result', { name: 'small' });
  t.deepEqual(expired, ['big']);
});

test('open handles are listed oldest first, whatever was used last', (t) => {
  const { table, clock } = makeTable();
  const a = table.add('classifier', { name: 'a' });
  clock.now = 5;
  table.add('classifier', { name: 'b' });
  table.add('apply_result', { name: 'c' });
  clock.now = 7;
  table.get('classifier', a);
  const listed = table.open('classifier').map(({ value, created, lastUsed }) => [value.name, created.getTime(), lastUsed.getTime()]);
  t.deepEqual(listed, [
    ['a', 0, 7],
    ['b', 5, 5],
  ]);
});

test('the oldest of the cleared handles are forgotten; as many as the capacity never are', (t) => {
  const tombstones = new Tombstones<'classifier'>(2);
  const handles = ['a', 'b', 'c', 'd', 'e'];
  const known = () => handles.filter((handle) => tombstones.get(handle) === 'classifier').join('');
  const remembered = handles.map((handle) => {
    tombstones.add(handle, 'classifier');
    return known();
  });
  t.deepEqual(remembered, ['a', 'ab', 'abc', 'abcd', 'cde']);
});
