import type { BlobReader, Bytes, ByteSource, Lent, OpenOptions } from '../oci/blob.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Download } from './download.ts';
import { Passage } from './passage.ts';
import type { Fork } from './passage.ts';
import type { Phase } from './phase.ts';

/** A blob that is still arriving, as any other blob. */
export function readerOf(download: Download, size: number): BlobReader {
  return {
    digest: download.digest,
    size,
    open: async (options) => new DownloadReader(download, size, options),
  };
}

/** One reader of a download: it follows the download through its phases at its own pace. */
class DownloadReader implements ByteSource {
  readonly #download: Download;
  readonly #size: number;
  readonly #verified: boolean;
  #own: { readonly phase: Phase; readonly source: ByteSource } | undefined;
  #left = false;
  /** Up to where it has read what was not verified yet. */
  #unverifiedEnd = 0;

  constructor(download: Download, size: number, options: OpenOptions) {
    this.#download = download;
    this.#size = size;
    this.#verified = options.verified;
    download.join();
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    if (position >= this.#size || into.length === 0) return 0;
    for (;;) {
      if (this.#left) throw new Error('this reader has left');
      const { phase } = this.#download;
      try {
        const length = await this.#readIn(phase, into, position);
        if (length === 0) throw endsEarly(position, this.#size);
        if (length !== undefined) return length;
      } catch (error) {
        // The phase that it read in has ended meanwhile, and its files with it: look again.
        if (phase === this.#download.phase) throw error;
      }
    }
  }

  readNow(into: Uint8Array, position: number): number | undefined {
    const { phase } = this.#download;
    if (this.#left) return undefined;
    if (phase.kind !== 'growing') {
      return this.#own?.phase === phase ? this.#own.source.readNow?.(into, position) : undefined;
    }
    const end = this.#readableEnd(phase, position);
    if (end <= position) return undefined;
    const length = phase.bytes.readNow?.(into.subarray(0, end - position), position);
    this.#unverifiedEnd = Math.max(this.#unverifiedEnd, position + (length ?? 0));
    return length;
  }

  lend(position: number, lengthMax: number): Lent | undefined {
    const { phase } = this.#download;
    if (this.#left || phase.kind !== 'growing') return undefined;
    const readable = this.#readableEnd(phase, position) - position;
    const lent = readable > 0 ? phase.bytes.lend?.(position, Math.min(lengthMax, readable)) : undefined;
    if (lent !== undefined) this.#unverifiedEnd = Math.max(this.#unverifiedEnd, position + lent.bytes.length);
    return lent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#left) return;
    this.#left = true;
    try {
      await this.#own?.source[Symbol.asyncDispose]();
    } finally {
      await this.#download.leave();
    }
  }

  /** Resolves to `undefined` when it is worth looking again. */
  async #readIn(phase: Phase, into: Uint8Array, position: number): Promise<number | undefined> {
    switch (phase.kind) {
      case 'failed':
        throw phase.error;
      case 'absent':
        // Who followed another process was served before our own upstream was asked.
        throw new RegistryError('UPSTREAM_FAILED', 'the upstream does not have what another process was sending');
      case 'seeking':
        await this.#download.changed;
        return undefined;
      case 'stored':
        return (await this.#ownSource(phase, () => phase.blob.open({ verified: this.#verified }))).read(into, position);
      case 'growing':
      case 'unstored': {
        const { growth, bytes } = phase;
        const end = this.#readableEnd(phase, position);
        if (bytes !== undefined && end > position)
          return this.#readGrowing(bytes, into.subarray(0, end - position), position);
        if (phase.kind === 'unstored') return this.#passBy(phase, into, position);
        await growth.wait(position, this.#verified);
        return undefined;
      }
    }
  }

  async #readGrowing(bytes: Bytes, into: Uint8Array, position: number): Promise<number> {
    const length = await bytes.read(into, position);
    this.#unverifiedEnd = Math.max(this.#unverifiedEnd, position + length);
    return length;
  }

  /** What came ahead of the hashed prefix will never be hashed once nothing more is stored: only the passage verifies. */
  #readableEnd(phase: Phase & { kind: 'growing' | 'unstored' }, position: number): number {
    const end = phase.growth.readableEnd(position, this.#verified);
    return phase.kind === 'unstored' && this.#verified ? Math.min(end, phase.fork.position) : end;
  }

  async #passBy(phase: Phase & { kind: 'unstored' }, into: Uint8Array, position: number): Promise<number> {
    if (this.#verified && !this.#continues(phase.fork, position)) {
      throw new RegistryError('UNAVAILABLE', 'what was sent can no longer be verified; ask again', { origin: 'store' });
    }
    const { digest, source } = this.#download;
    const load = { digest, size: this.#size, source, onLie: (reason: string) => this.#download.blame(reason) };
    const fork = this.#verified ? phase.fork : undefined;
    const passage = await this.#ownSource(phase, async () => new Passage(load, fork));
    return passage.read(into, position);
  }

  /** Whether the passage, which hashes on from the fork, hashes everything that this reader has had so far. */
  #continues(fork: Fork, position: number): boolean {
    return this.#unverifiedEnd === 0 || (this.#unverifiedEnd <= fork.position && fork.position <= position);
  }

  async #ownSource(phase: Phase, open: () => Promise<ByteSource>): Promise<ByteSource> {
    if (this.#own?.phase === phase) return this.#own.source;
    await this.#own?.source[Symbol.asyncDispose]();
    const source = await open();
    if (this.#left) await source[Symbol.asyncDispose]();
    else this.#own = { phase, source };
    return source;
  }
}

/** What was announced, by another process perhaps, is not there: to look again would not bring it. */
function endsEarly(position: number, size: number): RegistryError {
  const message = `the content ends at or before byte ${position} of ${size}; ask again`;
  return new RegistryError('UNAVAILABLE', message, { origin: 'store' });
}
