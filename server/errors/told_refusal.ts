import type { Refusal } from './refusal.js';

/** Trailers are headers, and clients take 8 to 16 KiB of those: a name of a megabyte must not come back whole. In characters. */
const MAXIMUM_TEXT = 1024;

/** Lists of tensors may be longer; whoever makes them sees to it that all three, in base64 with what stands beside them, stay below 8 KiB. */
const LISTS: ReadonlySet<string> = new Set(['missing', 'extra', 'misshapen']);
const MAXIMUM_LIST = 4400;

/** What a caller is told of a refusal beside its reason and status. */
export interface ToldRefusal {
  readonly message: string;
  /** `number` and `retry` included. */
  readonly metadata: Map<string, string>;
}

export function toldRefusal(refusal: Refusal): ToldRefusal {
  const metadata = new Map(
    Object.entries(refusal.metadata).map(([key, value]) => [key, shorten(value, LISTS.has(key) ? MAXIMUM_LIST : MAXIMUM_TEXT)]),
  );
  metadata.set('retry', String(refusal.retry));
  if (refusal.number !== null) metadata.set('number', String(refusal.number));
  return { message: shorten(refusal.message), metadata };
}

function shorten(text: string, maximum = MAXIMUM_TEXT): string {
  if (text.length <= maximum) return text;
  // Through UTF-8 and back, because the cut may split a surrogate pair, which cannot be sent.
  return `${Buffer.from(text.slice(0, maximum - 1)).toString()}…`;
}
