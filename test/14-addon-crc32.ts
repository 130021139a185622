import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 as crc32OfZlib } from 'node:zlib';
import test from 'ava';
import fc from 'fast-check';
import { crc32, fastestCrc32 } from '../checksum/crc32.js';

const noWarning = (message: string) => {
  throw new Error(message);
};

const byZlib = fastestCrc32('/nowhere/dl_checksum_addon.node', noWarning);

for (const [name, compute] of [
  ['the fastest way', crc32],
  ['the way without an addon', byZlib],
] as const) {
  test(`${name} gives the CRC-32 of zlib`, (t) => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 71, maxLength: 2000 }), fc.nat(2 ** 32 - 1), fc.nat(70), (bytes, checksum, start) => {
        const part = bytes.subarray(start);
        return compute(part) === crc32OfZlib(part) && compute(part, checksum) === crc32OfZlib(part, checksum);
      }),
    );
    t.is(compute(new TextEncoder().encode('123456789')), 0xcbf43926);
    t.is(compute(new Uint8Array()), 0);
    t.is(compute(new Uint8Array(), 7), 7);
  });
}

test('arguments that are none are refused', (t) => {
  t.throws(() => crc32([1, 2] as unknown as Uint8Array), { instanceOf: TypeError });
  t.throws(() => crc32(new Uint8Array(1), 'x' as unknown as number), { instanceOf: TypeError });
});

test('an addon that cannot be loaded is told of, and zlib computes it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'addon-'));
  const file = join(folder, 'dl_checksum_addon.node');
  await writeFile(file, 'not a shared object');
  const told: string[] = [];
  t.is(fastestCrc32(file, (message) => told.push(message))(new TextEncoder().encode('123456789')), 0xcbf43926);
  await rm(folder, { recursive: true });
  t.is(told.length, 1);
  t.regex(told[0] ?? '', /dl_checksum_addon\.node cannot be loaded, so that checksums take longer: .*(file too short|invalid ELF header)/);
});
