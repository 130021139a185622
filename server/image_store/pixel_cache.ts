import type { StagingBuffer } from '../../native/binding.js';

/** What pixels are made of and for: of one stored image, in one form. */
export interface PixelSource {
  /** Its pixels in memory, by form. */
  readonly pixels: Map<string, CachedPixels>;
}

/** Pixels in memory, exactly as the engine takes them. */
export interface CachedPixels {
  readonly source: PixelSource;
  readonly form: string;
  readonly data: StagingBuffer;
}

/**
 * Pixels of stored images as the engine takes them, so that a batch of references costs next to nothing: it reads them where they are. Bounded: the least
 * recently used are dropped. Every operation takes constant time.
 */
export class PixelCache {
  /** In the order of use: a Set keeps that in which its values were added. */
  readonly #used = new Set<CachedPixels>();
  #bytes = 0;
  #hits = 0;
  #misses = 0;

  constructor(
    /** Bytes. */
    readonly maximum: number,
  ) {}

  /** Bytes held now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Times that pixels were asked for and were there. */
  get hits(): number {
    return this.#hits;
  }

  /** Times that they were not. */
  get misses(): number {
    return this.#misses;
  }

  /** @param form what the pixels must be like, for instance their size; null where they are not held. They may be dropped later, but not in this turn of the event loop. */
  find(source: PixelSource, form: string): StagingBuffer | null {
    const cached = source.pixels.get(form);
    if (cached === undefined) {
      this.#misses++;
      return null;
    }
    this.#hits++;
    this.#used.delete(cached);
    this.#used.add(cached);
    return cached.data;
  }

  /** Takes over pixels that do not change: closes them when they make room for others, at once where more than may be held at all, or held already. */
  keep(source: PixelSource, form: string, data: StagingBuffer): void {
    if (data.byteLength > this.maximum || source.pixels.has(form)) {
      data.close();
      return;
    }
    const cached = { source, form, data };
    source.pixels.set(form, cached);
    this.#used.add(cached);
    this.#bytes += data.byteLength;
    for (const oldest of this.#used) {
      if (this.#bytes <= this.maximum) return;
      this.#remove(oldest);
    }
  }

  /** Drops all pixels of an image that is no longer stored. */
  drop(source: PixelSource): void {
    for (const cached of source.pixels.values()) this.#remove(cached);
  }

  #remove(cached: CachedPixels): void {
    this.#used.delete(cached);
    cached.source.pixels.delete(cached.form);
    this.#bytes -= cached.data.byteLength;
    cached.data.close();
  }
}
