import { randomFillSync } from 'node:crypto';

/** 128 bits: nobody guesses a handle. */
const HANDLE_BYTES = 16;

/** Random bytes for many handles: a call that draws them takes longer than all else that a handle needs. */
const drawn = Buffer.alloc(HANDLE_BYTES * 256);
let used = drawn.length;

/** A string that was never given out before. */
export function randomHandle(): string {
  if (used === drawn.length) {
    randomFillSync(drawn);
    used = 0;
  }
  const handle = drawn.toString('base64url', used, used + HANDLE_BYTES);
  used += HANDLE_BYTES;
  return handle;
}
