import { touchGrainMs } from '../index/collection-contract.ts';
import type { Tell } from '../index/contract.ts';
import { tellingStoreFailures } from '../observe/store-failures.ts';
import type { BlobReader } from '../oci/blob.ts';
import type { Change } from '../oci/change.ts';
import type { Digest, DigestAlgorithm } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { ChildDescriptor, Descriptor, Manifest, ManifestContent } from '../oci/manifest.ts';
import { isDigestReference } from '../oci/reference.ts';
import type { Reference, Tag } from '../oci/reference.ts';
import type { Answer, Ask, Page, PageRequest, Referrer, Repository, RepositoryKey, Writes } from '../oci/repository.ts';
import type { Upload, UploadId, UploadStatus } from '../oci/upload.ts';
import type { HostedContext, HostedRules } from './context.ts';
import { mayBeMissing, refuseUrls } from './manifest-rules.ts';
import type { Uploads } from './uploads.ts';

/** A repository that lives here. No upstream is ever asked for it: what fails here has failed. */
export class HostedRepository implements Repository, Writes {
  readonly key: RepositoryKey;
  readonly label: string;
  readonly #context: HostedContext;
  readonly #uploads: Uploads;

  constructor(key: RepositoryKey, context: HostedContext, uploads: Uploads) {
    this.key = key;
    this.label = `${key.name} (hosted here)`;
    this.#context = context;
    this.#uploads = uploads;
  }

  async resolve(reference: Reference, ask: Ask): Promise<Answer<Descriptor> | undefined> {
    return this.manifest(reference, ask);
  }

  async manifest(reference: Reference, ask: Ask): Promise<Answer<ManifestContent> | undefined> {
    const { index, mayRead, rules } = this.#context;
    await mayRead(ask.asker, this.key, reference);
    const digest = isDigestReference(reference) ? reference : (await index.tags.find(this.key, reference))?.digest;
    const held = digest === undefined ? undefined : await index.manifests.find(this.key, digest);
    if (held !== undefined && rules().untaggedGo) await this.#touch(held.digest);
    return answerOf(held);
  }

  async stat(digest: Digest, ask: Ask): Promise<Answer<Descriptor> | undefined> {
    const blob = await this.#find(digest, ask);
    return answerOf(blob && { digest, size: blob.size, mediaType: 'application/octet-stream' });
  }

  async blob(digest: Digest, ask: Ask): Promise<Answer<BlobReader> | undefined> {
    return answerOf(await this.#find(digest, ask));
  }

  async tags(page: PageRequest, ask: Ask): Promise<Answer<Page<Tag>> | undefined> {
    const { index, mayRead } = this.#context;
    await mayRead(ask.asker, this.key, undefined);
    const tags = await index.tags.list(this.key, page);
    if (tags.items.length === 0 && (await index.repositories.manifests(this.key, 1)).length === 0) return undefined;
    return answerOf(tags);
  }

  async referrers(
    subject: Digest,
    artifactType: string | undefined,
    ask: Ask,
  ): Promise<Answer<readonly Referrer[]> | undefined> {
    await this.#context.mayRead(ask.asker, this.key, subject);
    const all = await this.#context.index.manifests.referrers(this.key, subject);
    return answerOf(all.filter((each) => artifactType === undefined || each.artifactType === artifactType));
  }

  async put(manifest: Manifest, tags: readonly Tag[], ask: Ask): Promise<void> {
    const { index, clock } = this.#context;
    const rules = this.#mayPush();
    refuseUrls(manifest, rules);
    const isImmutable = (tag: Tag): boolean => this.#isImmutable(tag);
    const { sparse } = rules;
    const mayLack = (child: ChildDescriptor): boolean => mayBeMissing(child, rules);
    const tell = this.#telling(ask, () =>
      (tags.length === 0 ? [undefined] : tags).map((tag) => ({ action: 'push', kind: 'manifest', manifest, tag })),
    );
    const options = { tags, isImmutable, sparse, mayLack, atMs: clock.now(), tell };
    await this.#told('push', () => index.hosted.put(this.key, manifest, options));
  }

  async remove(reference: Reference, ask: Ask): Promise<boolean> {
    this.#mayDelete();
    const { index, clock } = this.#context;
    const tell = this.#telling(ask, (untagged) => removalsOf(reference, untagged));
    const isImmutable = (tag: Tag): boolean => this.#isImmutable(tag);
    return this.#told('delete', () => index.hosted.remove(this.key, reference, isImmutable, clock.now(), tell));
  }

  async removeBlob(digest: Digest, ask: Ask): Promise<boolean> {
    this.#mayDelete();
    const tell = this.#telling(ask, () => [{ action: 'delete', kind: 'blob', digest }]);
    const { hosted } = this.#context.index;
    const outcome = await this.#told('delete', () => hosted.removeBlob(this.key, digest, tell));
    if (outcome !== 'needed') return outcome === 'removed';
    const message = `${digest} is needed by a manifest of ${this.label}: delete that first`;
    throw new RegistryError('UNSUPPORTED', message, { detail: { digest } });
  }

  async mount(digest: Digest, from: RepositoryKey | undefined, ask: Ask): Promise<boolean> {
    const { store, index, clock, mayMount } = this.#context;
    this.#mayPush();
    const size = (await store.find(digest))?.size;
    if (size === undefined) return false;
    const sources = from === undefined ? await index.blobs.members(digest) : [from];
    for (const source of sources) {
      if (!(await mayMount(ask.asker, source, digest))) continue;
      const tell = this.#telling(ask, () => [{ action: 'mount', kind: 'blob', digest, size, from: source }]);
      const mount = (): Promise<boolean> => index.hosted.mountBlob(this.key, source, digest, clock.now(), tell);
      if (await this.#told('push', mount)) return true;
    }
    return false;
  }

  async startUpload(algorithm: DigestAlgorithm, _ask: Ask): Promise<UploadStatus> {
    this.#mayPush();
    return this.#told('push', () => this.#uploads.start(this.key, algorithm));
  }

  async uploadStatus(id: UploadId, _ask: Ask): Promise<UploadStatus | undefined> {
    return this.#uploads.status(this.key, id);
  }

  async resumeUpload(id: UploadId, ask: Ask): Promise<Upload | undefined> {
    this.#mayPush();
    const telling = (digest: Digest, size: number): Tell =>
      this.#telling(ask, () => [{ action: 'push', kind: 'blob', digest, size }]);
    return this.#told('push', () => this.#uploads.resume(this.key, id, telling));
  }

  /** Only what was uploaded or mounted here: that the store has it for others proves nothing. */
  async #find(digest: Digest, ask: Ask): Promise<BlobReader | undefined> {
    const { store, index, clock, mayRead } = this.#context;
    await mayRead(ask.asker, this.key, digest);
    return (await index.hosted.hasBlob(this.key, digest, clock.now())) ? store.find(digest) : undefined;
  }

  /** Once in a while: a time that is written down already changes nothing. */
  async #touch(digest: Digest): Promise<void> {
    const { index, clock } = this.#context;
    const nowMs = clock.now();
    await index.keeping.touch([{ repository: this.key, digest, atMs: nowMs - (nowMs % touchGrainMs) }]);
  }

  #told<T>(operation: 'push' | 'delete', act: () => Promise<T>): Promise<T> {
    return tellingStoreFailures(this.#context.observer, operation, act);
  }

  /** What others are to be told of it, written with the change itself. */
  #telling(ask: Ask, changesOf: (untagged: readonly Tag[]) => readonly Change[]): Tell {
    return (untagged) => changesOf(untagged).flatMap((change) => this.#context.noticesOf(change, ask));
  }

  #isImmutable(tag: Tag): boolean {
    return this.#context.rules().isImmutable(`${this.key.name}:${tag}`);
  }

  #mayPush(): HostedRules {
    const rules = this.#context.rules();
    if (!rules.readOnly) return rules;
    throw new RegistryError(
      'UNSUPPORTED',
      'this server changes nothing for now: storage.maintenance.readonly is enabled; push when it is not',
    );
  }

  #mayDelete(): void {
    this.#mayPush();
    if (this.#context.rules().deletes) return;
    throw new RegistryError('UNSUPPORTED', 'nothing is deleted here; set storage.delete.enabled to true to allow it');
  }
}

/** A manifest goes with its tags, and each of them is told of. */
function removalsOf(reference: Reference, untagged: readonly Tag[]): readonly Change[] {
  if (!isDigestReference(reference)) return [{ action: 'delete', kind: 'tag', tag: reference }];
  return [
    { action: 'delete', kind: 'manifest', digest: reference },
    ...untagged.map((tag): Change => ({ action: 'delete', kind: 'tag', tag })),
  ];
}

function answerOf<T>(value: T | undefined): Answer<T> | undefined {
  return value === undefined ? undefined : { value, outcome: 'hit', ageSeconds: 0 };
}
