/**
 * What the upstream holds.
 */
import type { Content, Manifest } from './images.ts';

interface Repository {
  readonly blobs: Map<string, Content>;
  readonly manifests: Map<string, Manifest>;
  readonly tags: Map<string, string>;
}

export class Catalog {
  readonly #repositories = new Map<string, Repository>();
  readonly #blobs = new Map<string, Content>();

  /** @param name `library/redis:7`, or without a tag; all that the manifest refers to is published with it */
  publish(name: string, manifest: Manifest): void {
    const [repository, tag] = split(name);
    this.#add(repository, manifest);
    if (tag !== undefined) this.#open(repository).tags.set(tag, manifest.digest);
  }

  publishBlob(repository: string, blob: Content): void {
    this.#open(repository).blobs.set(blob.digest, blob);
    this.#blobs.set(blob.digest, blob);
  }

  /** @param name `library/redis:7` drops the tag, `library/redis@sha256:...` that content, `library/redis` everything */
  withdraw(name: string): void {
    const [repository, tag] = split(name);
    const [bare = '', digest] = repository.split('@');
    const held = this.#open(bare);
    if (digest !== undefined) {
      held.manifests.delete(digest);
      held.blobs.delete(digest);
      for (const [pointing, pointedAt] of held.tags) if (pointedAt === digest) held.tags.delete(pointing);
    } else if (tag === undefined) this.#repositories.delete(bare);
    else held.tags.delete(tag);
  }

  has(repository: string): boolean {
    return this.#repositories.has(repository);
  }

  manifest(repository: string, reference: string): Manifest | undefined {
    const held = this.#repositories.get(repository);
    return held?.manifests.get(held.tags.get(reference) ?? reference);
  }

  blob(repository: string, digest: string): Content | undefined {
    return this.#repositories.get(repository)?.blobs.get(digest);
  }

  /** A blob of any repository: the content delivery network knows no repositories. */
  anyBlob(digest: string): Content | undefined {
    return this.#blobs.get(digest);
  }

  tags(repository: string): string[] {
    return [...(this.#repositories.get(repository)?.tags.keys() ?? [])].sort();
  }

  referrers(repository: string, subject: string): Manifest[] {
    const manifests = this.#repositories.get(repository)?.manifests.values() ?? [];
    return [...manifests].filter((manifest) => manifest.subject === subject);
  }

  #add(repository: string, manifest: Manifest): void {
    for (const blob of manifest.blobs) this.publishBlob(repository, blob);
    for (const child of manifest.manifests) this.#add(repository, child);
    this.#open(repository).manifests.set(manifest.digest, manifest);
  }

  #open(name: string): Repository {
    const repository = this.#repositories.get(name) ?? { blobs: new Map(), manifests: new Map(), tags: new Map() };
    this.#repositories.set(name, repository);
    return repository;
  }
}

function split(name: string): [repository: string, tag: string | undefined] {
  const [, repository = name, tag] = /^([^@:]+):([^:@]+)$/.exec(name) ?? [];
  return [repository, tag];
}
