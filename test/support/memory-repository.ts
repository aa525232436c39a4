/**
 * A repository in memory, for tests of what stands in front of one. It can be made slow, short, or to fail in the middle.
 */
import type { BlobReader, ByteSource, OpenOptions } from '../../src/oci/blob.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { Descriptor, ManifestContent } from '../../src/oci/manifest.ts';
import { parseRepositoryName, parseTag } from '../../src/oci/reference.ts';
import type { Reference, Tag } from '../../src/oci/reference.ts';
import type { Answer, Ask, Outcome, Page, PageRequest, Referrer, Repository } from '../../src/oci/repository.ts';
import type { RepositoryKey } from '../../src/oci/repository.ts';

/** How the bytes of a blob behave when they are read. */
export interface Behaviour {
  /** Fails a read that would reach or pass this position. */
  readonly failAt?: number;
  readonly failWith?: Error;
  /** Awaited before each read. */
  readonly gate?: (position: number) => Promise<void>;
  /** At most so many bytes a read. */
  readonly readBytesMax?: number;
}

export class MemoryRepository implements Repository {
  readonly key: RepositoryKey;
  readonly label: string;
  /** Every call, in order, with its reference: what the handler needed. */
  readonly calls: string[] = [];
  readonly asks: Ask[] = [];
  /** Sources that were opened and not yet disposed. */
  openSources = 0;
  /** The options of each opening. */
  readonly opened: OpenOptions[] = [];
  outcome: Outcome = 'hit';
  ageSeconds = 0;
  /** Thrown by every call. */
  failure: Error | undefined;
  behaviour: Behaviour = {};
  hasReferrers = true;
  readonly #manifests = new Map<string, ManifestContent>();
  readonly #tags = new Map<string, Digest>();
  readonly #blobs = new Map<string, Uint8Array>();
  readonly #referrers: (Referrer & { readonly subject: Digest })[] = [];

  constructor(upstream: string, name: string) {
    this.key = { upstream, name: parseRepositoryName(name) };
    this.label = `${upstream}/${name}`;
  }

  addManifest(text: string, mediaType: string, ...tags: readonly string[]): ManifestContent {
    const bytes = Buffer.from(text);
    const manifest = { digest: digestOf(bytes), size: bytes.length, mediaType, bytes };
    this.#manifests.set(manifest.digest, manifest);
    for (const tag of tags) this.#tags.set(tag, manifest.digest);
    return manifest;
  }

  addBlob(bytes: Uint8Array): Digest {
    const digest = digestOf(bytes);
    this.#blobs.set(digest, bytes);
    return digest;
  }

  addReferrer(subject: Digest, referrer: Referrer): void {
    this.#referrers.push({ ...referrer, subject });
  }

  async resolve(reference: Reference, ask: Ask): Promise<Answer<Descriptor> | undefined> {
    this.#called(`resolve ${reference}`, ask);
    return this.#answer(this.#find(reference));
  }

  async manifest(reference: Reference, ask: Ask): Promise<Answer<ManifestContent> | undefined> {
    this.#called(`manifest ${reference}`, ask);
    return this.#answer(this.#find(reference));
  }

  async stat(digest: Digest, ask: Ask): Promise<Answer<Descriptor> | undefined> {
    this.#called(`stat ${digest}`, ask);
    const size = this.#blobs.get(digest)?.length;
    return this.#answer(size === undefined ? undefined : { digest, size, mediaType: 'application/octet-stream' });
  }

  async blob(digest: Digest, ask: Ask): Promise<Answer<BlobReader> | undefined> {
    this.#called(`blob ${digest}`, ask);
    const bytes = this.#blobs.get(digest);
    return this.#answer(
      bytes && { digest, size: bytes.length, open: (options: OpenOptions) => this.#open(bytes, options) },
    );
  }

  async tags(page: PageRequest, ask: Ask): Promise<Answer<Page<Tag>> | undefined> {
    this.#called('tags', ask);
    const all = [...this.#tags.keys()].sort();
    const later = all.filter((tag) => page.last === undefined || tag > page.last);
    const items = later.slice(0, page.limit).map(parseTag);
    return this.#answer({ items, next: later.length > page.limit ? items.at(-1) : undefined });
  }

  async referrers(
    subject: Digest,
    artifactType: string | undefined,
    ask: Ask,
  ): Promise<Answer<readonly Referrer[]> | undefined> {
    this.#called(`referrers ${subject}`, ask);
    if (!this.hasReferrers) return undefined;
    const found = this.#referrers.filter(
      (entry) => entry.subject === subject && (artifactType === undefined || entry.artifactType === artifactType),
    );
    return this.#answer(found);
  }

  async #open(bytes: Uint8Array, options: OpenOptions): Promise<ByteSource> {
    this.opened.push(options);
    this.openSources += 1;
    return new MemorySource(bytes, this.behaviour, () => (this.openSources -= 1));
  }

  #find(reference: Reference): ManifestContent | undefined {
    return this.#manifests.get(this.#tags.get(reference) ?? reference);
  }

  #called(call: string, ask: Ask): void {
    this.calls.push(call);
    this.asks.push(ask);
    if (this.failure !== undefined) throw this.failure;
  }

  #answer<T>(value: T): Answer<NonNullable<T>> | undefined {
    if (value === undefined || value === null) return undefined;
    return { value, outcome: this.outcome, ageSeconds: this.ageSeconds };
  }
}

class MemorySource implements ByteSource {
  readonly #bytes: Uint8Array;
  readonly #behaviour: Behaviour;
  readonly #ended: () => void;
  #disposed = false;

  constructor(bytes: Uint8Array, behaviour: Behaviour, ended: () => void) {
    this.#bytes = bytes;
    this.#behaviour = behaviour;
    this.#ended = ended;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    const { gate, failAt = Infinity, failWith, readBytesMax = Infinity } = this.#behaviour;
    await gate?.(position);
    const end = Math.min(position + Math.min(into.length, readBytesMax), this.#bytes.length);
    if (end > failAt && position >= failAt) throw failWith ?? new Error('the source failed');
    const part = this.#bytes.subarray(position, Math.min(end, failAt));
    into.set(part);
    return part.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#disposed) this.#ended();
    this.#disposed = true;
  }
}
