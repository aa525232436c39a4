import type { BlobReader, ByteSource } from '../../oci/blob.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Descriptor, ManifestContent } from '../../oci/manifest.ts';
import { isTag, parseTag } from '../../oci/reference.ts';
import type { Reference, Tag } from '../../oci/reference.ts';
import type { Answer, Page, Referrer, Repository, RepositoryKey } from '../../oci/repository.ts';
import { isProbeName, probeImage, probeTag } from './probe-image.ts';
import type { ProbeImage } from './probe-image.ts';

/** The repository of a probe, whichever registry it is asked for at; `undefined` for every other name. */
export function probeRepository(key: RepositoryKey): Repository | undefined {
  return isProbeName(key.name) ? new ProbeRepository(key) : undefined;
}

class ProbeRepository implements Repository {
  readonly key: RepositoryKey;
  readonly label: string;
  readonly #image: ProbeImage;

  constructor(key: RepositoryKey) {
    this.key = key;
    this.label = `the probe ${key.name}`;
    this.#image = probeImage(key.name);
  }

  async resolve(reference: Reference): Promise<Answer<Descriptor> | undefined> {
    return answered(this.#find(reference));
  }

  async manifest(reference: Reference): Promise<Answer<ManifestContent> | undefined> {
    return answered(this.#find(reference));
  }

  async stat(digest: Digest): Promise<Answer<Descriptor> | undefined> {
    const size = this.#image.blobs.get(digest)?.length;
    return answered(size === undefined ? undefined : { digest, size, mediaType: 'application/octet-stream' });
  }

  async blob(digest: Digest): Promise<Answer<BlobReader> | undefined> {
    const bytes = this.#image.blobs.get(digest);
    return answered(bytes && { digest, size: bytes.length, open: async () => sourceOf(bytes) });
  }

  async tags(): Promise<Answer<Page<Tag>> | undefined> {
    return answered({ items: [parseTag(probeTag)], next: undefined });
  }

  async referrers(): Promise<Answer<readonly Referrer[]> | undefined> {
    return answered([]);
  }

  #find(reference: Reference): ManifestContent | undefined {
    if (isTag(reference)) return reference === probeTag ? this.#image.tagged : undefined;
    return this.#image.manifests.get(reference);
  }
}

function answered<T>(value: T | undefined): Answer<T> | undefined {
  return value === undefined ? undefined : { value, outcome: 'hit', ageSeconds: 0 };
}

function sourceOf(bytes: Uint8Array): ByteSource {
  return {
    async read(into, position) {
      const part = bytes.subarray(position, position + into.length);
      into.set(part);
      return part.length;
    },
    async [Symbol.asyncDispose]() {},
  };
}
