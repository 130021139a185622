// Numbers that the contract has as uint32 and uint64. Its encoder throws at others, in the middle of a call and without their name.

/**
 * @param name the option that the number was given as
 * @throws RangeError
 */
export function unsigned32(value: number, name: string): number {
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** 32)
    throw new RangeError(`${name} is ${value}: give an integer of 0..2^32 - 1`);
  return value;
}

/**
 * @param name the option that the number was given as
 * @throws RangeError
 */
export function unsigned64(value: number | bigint, name: string): bigint {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw new RangeError(`${name} is ${value}: give an integer`);
  const integer = BigInt(value);
  if (integer < 0n || integer >= 2n ** 64n) throw new RangeError(`${name} is ${value}: give an integer of 0..2^64 - 1`);
  return integer;
}
