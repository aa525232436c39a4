/** What repositories should hold, told by nothing but what was pushed and deleted: the measure of a collection. */
import type { Manifest } from '../support/images.ts';
import type { Linked } from '../support/link-tree.ts';

export class HostedModel {
  readonly #repositories = new Map<string, Repository>();

  repository(name: string): Repository {
    const found = this.#repositories.get(name) ?? new Repository();
    this.#repositories.set(name, found);
    return found;
  }

  get names(): readonly string[] {
    return [...this.#repositories.keys()];
  }

  /** Digests of everything that some repository must still have once nothing else is left. */
  reachable(): readonly string[] {
    const all = [...this.#repositories.values()].flatMap((repository) => {
      const manifests = repository.reachable();
      return manifests.flatMap(({ digest, blobs }) => [digest, ...blobs.map((blob) => blob.digest)]);
    });
    return [...new Set(all)].toSorted();
  }

  /** The same, as the files of `registry:2` tell it. */
  links(): Readonly<Record<string, Linked>> {
    const all = [...this.#repositories].map(([name, repository]) => [name, repository.links()] as const);
    return Object.fromEntries(all.filter(([, { manifests }]) => manifests.length > 0));
  }
}

export class Repository {
  readonly #manifests = new Map<string, Manifest>();
  readonly #tags = new Map<string, Manifest>();

  /** @param tag without one it was put by its digest */
  put(manifest: Manifest, tag?: string): void {
    for (const child of manifest.manifests) this.put(child);
    this.#manifests.set(manifest.digest, manifest);
    if (tag !== undefined) this.#tags.set(tag, manifest);
  }

  untag(tag: string): void {
    this.#tags.delete(tag);
  }

  /** Its tags go with it. */
  remove({ digest }: Manifest): void {
    this.#manifests.delete(digest);
    for (const [tag, manifest] of this.#tags) if (manifest.digest === digest) this.#tags.delete(tag);
  }

  /** Untagged manifests that nothing leads to, once a collection has been asked to take them. */
  sweep(): void {
    const kept = new Set(this.reachable());
    for (const manifest of this.#manifests.values()) if (!kept.has(manifest)) this.#manifests.delete(manifest.digest);
  }

  get tags(): ReadonlyMap<string, Manifest> {
    return this.#tags;
  }

  get manifests(): readonly Manifest[] {
    return [...this.#manifests.values()];
  }

  /** Whether an index here lists it: deleting it would break that. */
  isListed({ digest }: Manifest): boolean {
    return this.manifests.some(({ manifests }) => manifests.some((child) => child.digest === digest));
  }

  /** From the tags down to children, and up to what refers to any of them. */
  reachable(): readonly Manifest[] {
    const found = new Map<string, Manifest>();
    const visit = (manifest: Manifest): void => {
      if (found.has(manifest.digest)) return;
      found.set(manifest.digest, manifest);
      manifest.manifests.forEach(visit);
      for (const other of this.#manifests.values()) if (other.subject === manifest.digest) visit(other);
    };
    for (const manifest of this.#tags.values()) visit(manifest);
    return [...found.values()];
  }

  links(): Linked {
    const manifests = this.reachable();
    const layers = new Set(manifests.flatMap(({ blobs }) => blobs.map(({ digest }) => digest)));
    return {
      layers: [...layers].toSorted(),
      manifests: manifests.map(({ digest }) => digest).toSorted(),
      tags: Object.fromEntries([...this.#tags].map(([tag, { digest }]) => [tag, digest])),
    };
  }
}
