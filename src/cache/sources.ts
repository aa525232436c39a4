import type { RepositoryKey } from '../oci/repository.ts';
import type { Identity, UpstreamRepository } from '../upstream/contract.ts';

/** Where a blob is fetched from, and as whom. */
export interface Source {
  readonly key: RepositoryKey;
  readonly repository: UpstreamRepository;
  readonly identity: Identity;
  /** In how many ranges a big blob is fetched at once; 1 = one. */
  readonly ranges: number;
  /** Not from the upstream's mirrors: somebody has sent wrong bytes of this blob. */
  readonly direct?: true;
}

/** Enough for a base image that everybody has. */
const sourcesMax = 8;

/**
 * Where one blob may be fetched from. Who asked for it first is asked, and who has joined since where that one breaks off:
 * nobody waits for a registry that is not his while his own is well.
 */
export class Sources {
  readonly #all: [Source, ...Source[]];
  #current: Source;

  constructor(first: Source) {
    this.#all = [first];
    this.#current = first;
  }

  get current(): Source {
    return this.#current;
  }

  /** What is asked in a client's own name is for that client alone. */
  offer(source: Source): void {
    const { upstream, name } = source.key;
    const isKnown = this.#all.some(({ key }) => key.upstream === upstream && key.name === name);
    if (isKnown || typeof source.identity === 'object' || this.#all.length >= sourcesMax) return;
    this.#all.push(source);
  }

  /** It has broken off. False when there is no other; several of its ranges may have broken off, which is one turn. */
  turnFrom(source: Source): boolean {
    if (source !== this.#current) return true;
    const next = this.#all[(this.#all.indexOf(source) + 1) % this.#all.length];
    this.#current = next ?? source;
    return this.#current !== source;
  }
}
