import type { BlobReader } from '../oci/blob.ts';
import type { Digest, DigestAlgorithm } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Descriptor, Manifest, ManifestContent } from '../oci/manifest.ts';
import type { Reference, Tag } from '../oci/reference.ts';
import type { Answer, Ask, Page, PageRequest, RepositoryKey, WritableRepository } from '../oci/repository.ts';
import type { Upload, UploadId, UploadStatus } from '../oci/upload.ts';

/**
 * A repository of which the index knows something that is not among its links yet. What it holds was acknowledged, and goes
 * before what the links say: that is answered at once. That something is not there is believed only once the links have
 * been read, and so is a list.
 */
export class PendingRepository implements WritableRepository {
  readonly key: RepositoryKey;
  readonly label: string;
  readonly #held: WritableRepository;
  readonly #look: () => Promise<void>;

  /** @param look resolves when the links have been taken in */
  constructor(held: WritableRepository, look: () => Promise<void>) {
    this.key = held.key;
    this.label = held.label;
    this.#held = held;
    this.#look = look;
  }

  resolve(reference: Reference, ask: Ask): Promise<Answer<Descriptor> | undefined> {
    return this.#found(() => this.#held.resolve(reference, ask));
  }

  manifest(reference: Reference, ask: Ask): Promise<Answer<ManifestContent> | undefined> {
    return this.#found(() => this.#held.manifest(reference, ask));
  }

  stat(digest: Digest, ask: Ask): Promise<Answer<Descriptor> | undefined> {
    return this.#found(() => this.#held.stat(digest, ask));
  }

  blob(digest: Digest, ask: Ask): Promise<Answer<BlobReader> | undefined> {
    return this.#found(() => this.#held.blob(digest, ask));
  }

  async tags(page: PageRequest, ask: Ask): Promise<Answer<Page<Tag>> | undefined> {
    await this.#look();
    return this.#held.tags(page, ask);
  }

  async referrers(subject: Digest, type: string | undefined, ask: Ask): ReturnType<WritableRepository['referrers']> {
    await this.#look();
    return this.#held.referrers(subject, type, ask);
  }

  async put(manifest: Manifest, tags: readonly Tag[], ask: Ask): Promise<void> {
    try {
      await this.#held.put(manifest, tags, ask);
    } catch (error) {
      if (!(error instanceof RegistryError && error.code === 'MANIFEST_BLOB_UNKNOWN')) throw error;
      await this.#look();
      await this.#held.put(manifest, tags, ask);
    }
  }

  async remove(reference: Reference, ask: Ask): Promise<boolean> {
    return (await this.#held.remove(reference, ask)) || (await this.#after(() => this.#held.remove(reference, ask)));
  }

  async removeBlob(digest: Digest, ask: Ask): Promise<boolean> {
    return (await this.#held.removeBlob(digest, ask)) || (await this.#after(() => this.#held.removeBlob(digest, ask)));
  }

  /** False is no error: the blob is uploaded then. */
  mount(digest: Digest, from: RepositoryKey | undefined, ask: Ask): Promise<boolean> {
    return this.#held.mount(digest, from, ask);
  }

  startUpload(algorithm: DigestAlgorithm, ask: Ask): Promise<UploadStatus> {
    return this.#held.startUpload(algorithm, ask);
  }

  uploadStatus(id: UploadId, ask: Ask): Promise<UploadStatus | undefined> {
    return this.#held.uploadStatus(id, ask);
  }

  resumeUpload(id: UploadId, ask: Ask): Promise<Upload | undefined> {
    return this.#held.resumeUpload(id, ask);
  }

  async #found<T>(ask: () => Promise<T | undefined>): Promise<T | undefined> {
    return (await ask()) ?? (await this.#after(ask));
  }

  async #after<T>(ask: () => Promise<T>): Promise<T> {
    await this.#look();
    return ask();
  }
}
