/**
 * What the upstream publishes and what the peers are given, the same in every process that asks.
 */
import { createHash } from 'node:crypto';
import { literalBlob, makeBlob, makeImage } from '../../test/support/images.ts';
import type { Content, Image } from '../../test/support/images.ts';
import { GIB } from './statistics.ts';

/** The name of the upstream, as clients of `?ns=` say it. */
export const UPSTREAM = 'bench.example';

/** 1 GiB. */
export const BIG_BLOB = { repository: 'bench/big', size: GIB, seed: 'big' } as const;

export interface Named<T> {
  readonly repository: string;
  readonly tag: string;
  readonly content: T;
}

/** Distinct images of six layers that they share, in repositories of a hundred tags. */
export function* images(count: number): Iterable<Named<Image>> {
  const layers = Array.from({ length: 6 }, (_, position) => makeBlob(100 + position, `layer ${position}`));
  for (let number = 0; number < count; number++) {
    const repository = `bench/images-${Math.floor(number / 100)}`;
    yield { repository, tag: `v1.${number % 100}`, content: makeImage({ seed: number, layers }) };
  }
}

/**
 * Blobs of one size that differ in their last bytes only: to hash a gibibyte takes half a second, to hash a hundred of
 * these takes as long as one.
 */
export class BlobFamily {
  readonly #trunk: Content;
  readonly #hash = createHash('sha256');

  constructor(size: number) {
    this.#trunk = makeBlob(size - MEMBER_BYTES, 'trunk');
    for (const slice of this.#trunk.slices()) this.#hash.update(slice);
  }

  member(number: number): Content {
    const trunk = this.#trunk;
    const end = literalBlob(String(number).padStart(MEMBER_BYTES, '0'));
    const size = trunk.size + end.size;
    const digest = `sha256:${this.#hash.copy().update(end.bytes()).digest('hex')}`;
    return {
      digest,
      size,
      *slices(from = 0, to = size) {
        yield* trunk.slices(Math.min(from, trunk.size), Math.min(to, trunk.size));
        yield* end.slices(Math.max(0, from - trunk.size), Math.max(0, to - trunk.size));
      },
      bytes: () => Buffer.concat([trunk.bytes(), end.bytes()]),
    };
  }
}

const MEMBER_BYTES = 16;
