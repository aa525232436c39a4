import type { Digest } from '../oci/digest.ts';
import { parseDigest } from '../oci/digest.ts';
import { uploadIngestPrefix } from '../store/blob-store.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { LeaseView } from '../index/contract.ts';
import { downloadKeyOf, downloadKeyPrefix } from '../index/settling.ts';
import { parseState } from './download-state.ts';
import { fateOf } from './holder.ts';
import { leaseMs } from './publishing.ts';
import type { TenureContext } from './tenure.ts';

/** What was left unfinished may be resumed for so long, in milliseconds. */
const leftoverMsMax = 24 * 60 * 60 * 1000;

export interface LeftoversContext extends TenureContext {
  readonly store: BlobStore;
}

/**
 * Settles what downloads left that nobody goes on with: a blob that was stored but not yet indexed is indexed, a partial
 * file is deleted once nobody has wanted it for a day, or nobody knows of it any more.
 */
export class Leftovers {
  readonly #context: LeftoversContext;

  constructor(context: LeftoversContext) {
    this.#context = context;
  }

  async settle(): Promise<void> {
    const { index, clock } = this.#context;
    for (const view of await index.leases.list(downloadKeyPrefix)) {
      if (fateOf(view.holder) !== 'unknown') await this.#inherit(view);
    }
    await index.leases.prune(clock.now() - leftoverMsMax);
    await this.#sweep();
  }

  /** From a process that has ended; its partial file can be resumed now. */
  async #inherit(view: LeaseView): Promise<void> {
    const { store, index, clock, holder } = this.#context;
    await index.leases.release(view, view.state);
    const held = await store.find(parseDigest(view.key.slice(downloadKeyPrefix.length)));
    const lease = held && (await index.leases.acquire(view.key, holder, leaseMs, clock.now()));
    if (held === undefined || lease === undefined) return;
    await index.blobs.store(held.digest, held.size, lease, clock.now());
    await index.leases.release(lease, '');
  }

  async #sweep(): Promise<void> {
    const { store, index } = this.#context;
    for await (const name of store.unfinished()) {
      if (name.startsWith(uploadIngestPrefix)) continue;
      const digest = digestIn(name);
      const view = digest === undefined ? undefined : await index.leases.peek(downloadKeyOf(digest));
      if (view !== undefined && (view.expiresAtMs > 0 || parseState(view.state)?.ingest === name)) continue;
      const left = await store.ingest(name, 'resume');
      await left?.[Symbol.asyncDispose]();
    }
  }
}

/** The digest that an ingest of ours is named after: `sha256-HEX.EPOCH`. */
function digestIn(name: string): Digest | undefined {
  const match = /^(sha256|sha512)-([0-9a-f]+)\.\d+$/.exec(name);
  try {
    return match === null ? undefined : parseDigest(`${match[1]}:${match[2]}`);
  } catch {
    return undefined;
  }
}
