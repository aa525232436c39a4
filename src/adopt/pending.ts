import type { BlobReader } from '../oci/blob.ts';
import type { Digest, DigestAlgorithm } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Descriptor, Manifest, ManifestContent } from '../oci/manifest.ts';
import { isDigestReference } from '../oci/reference.ts';
import type { Reference, Tag } from '../oci/reference.ts';
import type { Answer, Ask, Page, PageRequest, RepositoryKey, WritableRepository } from '../oci/repository.ts';
import type { Upload, UploadId, UploadStatus } from '../oci/upload.ts';
import type { LinkPlace } from '../store/link-tree.ts';

/** How something may be said of a repository before all of its links have been read. */
export interface Reading {
  /** True when what the index holds there is right. */
  isSure(place: LinkPlace): Promise<boolean>;
  /** Resolves when it can be pushed to, and deleted from. */
  writable(): Promise<void>;
  /** Resolves when all links have been taken in. */
  whole(): Promise<void>;
}

/**
 * A repository whose links have not all been taken in. What is certainly there is answered at once; that something is not
 * there is believed only once all links have been read, and so is a list.
 */
export class PendingRepository implements WritableRepository {
  readonly key: RepositoryKey;
  readonly label: string;
  readonly #held: WritableRepository;
  readonly #reading: Reading;

  constructor(held: WritableRepository, reading: Reading) {
    this.key = held.key;
    this.label = held.label;
    this.#held = held;
    this.#reading = reading;
  }

  resolve(reference: Reference, ask: Ask): Promise<Answer<Descriptor> | undefined> {
    return this.#found(placeOf(reference), () => this.#held.resolve(reference, ask));
  }

  manifest(reference: Reference, ask: Ask): Promise<Answer<ManifestContent> | undefined> {
    return this.#found(placeOf(reference), () => this.#held.manifest(reference, ask));
  }

  stat(digest: Digest, ask: Ask): Promise<Answer<Descriptor> | undefined> {
    return this.#found({ kind: 'layer', digest }, () => this.#held.stat(digest, ask));
  }

  blob(digest: Digest, ask: Ask): Promise<Answer<BlobReader> | undefined> {
    return this.#found({ kind: 'layer', digest }, () => this.#held.blob(digest, ask));
  }

  async tags(page: PageRequest, ask: Ask): Promise<Answer<Page<Tag>> | undefined> {
    await this.#reading.whole();
    return this.#held.tags(page, ask);
  }

  async referrers(subject: Digest, type: string | undefined, ask: Ask): ReturnType<WritableRepository['referrers']> {
    await this.#reading.whole();
    return this.#held.referrers(subject, type, ask);
  }

  async put(manifest: Manifest, tags: readonly Tag[], ask: Ask): Promise<void> {
    await this.#reading.writable();
    try {
      await this.#held.put(manifest, tags, ask);
    } catch (error) {
      if (!(error instanceof RegistryError && error.code === 'MANIFEST_BLOB_UNKNOWN')) throw error;
      await this.#reading.whole();
      await this.#held.put(manifest, tags, ask);
    }
  }

  async remove(reference: Reference, ask: Ask): Promise<boolean> {
    await this.#reading.writable();
    return (await this.#held.remove(reference, ask)) || (await this.#after(() => this.#held.remove(reference, ask)));
  }

  async removeBlob(digest: Digest, ask: Ask): Promise<boolean> {
    await this.#reading.writable();
    return (await this.#held.removeBlob(digest, ask)) || (await this.#after(() => this.#held.removeBlob(digest, ask)));
  }

  /** False is no error: the blob is uploaded then. */
  async mount(digest: Digest, from: RepositoryKey | undefined, ask: Ask): Promise<boolean> {
    await this.#reading.writable();
    return this.#held.mount(digest, from, ask);
  }

  async startUpload(algorithm: DigestAlgorithm, ask: Ask): Promise<UploadStatus> {
    await this.#reading.writable();
    return this.#held.startUpload(algorithm, ask);
  }

  async uploadStatus(id: UploadId, ask: Ask): Promise<UploadStatus | undefined> {
    await this.#reading.writable();
    return this.#held.uploadStatus(id, ask);
  }

  async resumeUpload(id: UploadId, ask: Ask): Promise<Upload | undefined> {
    await this.#reading.writable();
    return this.#held.resumeUpload(id, ask);
  }

  async #found<T>(place: LinkPlace, ask: () => Promise<T | undefined>): Promise<T | undefined> {
    const found = (await this.#reading.isSure(place)) ? await ask() : undefined;
    return found ?? (await this.#after(ask));
  }

  async #after<T>(ask: () => Promise<T>): Promise<T> {
    await this.#reading.whole();
    return ask();
  }
}

function placeOf(reference: Reference): LinkPlace {
  return isDigestReference(reference) ? { kind: 'manifest', digest: reference } : { kind: 'tag', tag: reference };
}
