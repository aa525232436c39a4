/**
 * An index as plain data, where every answer is computed from nothing but what was put in: slow, short, and therefore
 * the judge of the fast ones in `index-property.ts`.
 */
import type { Candidate, HeldTag, ImageRow, IndexStatistics, Use, Visibility } from '../../src/index/contract.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { Descriptor, Manifest } from '../../src/oci/manifest.ts';
import type { Tag } from '../../src/oci/reference.ts';
import type { RepositoryKey } from '../../src/oci/repository.ts';
import { displayOf } from './index-fixtures.ts';

interface Held {
  readonly manifest: Manifest;
  readonly storedAtMs: number;
  lastUsedMs: number;
  gone: boolean;
}

interface Room {
  readonly key: RepositoryKey;
  readonly held: Map<Digest, Held>;
  readonly tags: Map<Tag, HeldTag>;
  visibility: Visibility | undefined;
}

/** How a pin is matched is the driver's to prove elsewhere; here a pin names a repository and a tag, or `*`. */
export class IndexModel {
  readonly rooms = new Map<string, Room>();
  readonly #stored = new Map<Digest, { readonly size: number; lastUsedMs: number }>();
  readonly #members = new Map<Digest, Set<string>>();
  readonly #pins = new Set<string>();

  room(key: RepositoryKey): Room {
    const found = this.rooms.get(displayOf(key));
    if (found !== undefined) return found;
    const room: Room = { key, held: new Map(), tags: new Map(), visibility: undefined };
    this.rooms.set(displayOf(key), room);
    return room;
  }

  put(key: RepositoryKey, manifest: Manifest, atMs: number): void {
    const { held, tags } = this.room(key);
    const before = held.get(manifest.digest);
    const lastUsedMs = Math.max(before?.lastUsedMs ?? 0, atMs);
    held.set(manifest.digest, { manifest, storedAtMs: before?.storedAtMs ?? atMs, lastUsedMs, gone: false });
    for (const [tag, { seen }] of tags) {
      if (seen?.descriptor.digest === manifest.digest) this.#point(key, tag, manifest.digest, seen.atMs);
    }
  }

  mark(key: RepositoryKey, digest: Digest, gone: boolean): void {
    const held = this.room(key).held.get(digest);
    if (held !== undefined) held.gone = gone;
  }

  remove(key: RepositoryKey, digest: Digest): boolean {
    const { held, tags } = this.room(key);
    for (const [tag, target] of tags) if (target.digest === digest) tags.delete(tag);
    return held.delete(digest);
  }

  see(key: RepositoryKey, tag: Tag, descriptor: Descriptor, atMs: number): void {
    if (this.#point(key, tag, descriptor.digest, atMs)) return;
    const before = this.room(key).tags.get(tag) ?? { digest: undefined, checkedAtMs: 0 };
    const { digest, size, mediaType } = descriptor;
    this.room(key).tags.set(tag, { ...before, seen: { descriptor: { digest, size, mediaType }, atMs } });
  }

  /** False when the manifest is not held. */
  point(key: RepositoryKey, tag: Tag, digest: Digest, atMs: number): boolean {
    return this.#point(key, tag, digest, atMs);
  }

  confirm(key: RepositoryKey, tag: Tag, atMs: number): void {
    const { tags } = this.room(key);
    const found = tags.get(tag);
    if (found === undefined) return;
    if (atMs === 0) tags.set(tag, { ...found, checkedAtMs: 0, seen: found.seen && { ...found.seen, atMs: 0 } });
    else if (found.digest !== undefined) tags.set(tag, { ...found, checkedAtMs: atMs, seen: undefined });
  }

  untag(key: RepositoryKey, tag: Tag): boolean {
    return this.room(key).tags.delete(tag);
  }

  addMember(key: RepositoryKey, digest: Digest): void {
    const members = this.#members.get(digest) ?? new Set();
    this.#members.set(digest, members.add(displayOf(this.room(key).key)));
  }

  standing(key: RepositoryKey, digest: Digest): 'member' | 'public' | 'none' {
    const members = [...(this.#members.get(digest) ?? [])];
    if (members.includes(displayOf(key))) return 'member';
    return members.some((display) => this.rooms.get(display)?.visibility?.public) ? 'public' : 'none';
  }

  storedSize(digest: Digest): number | undefined {
    return this.#stored.get(digest)?.size;
  }

  store(digest: Digest, size: number, atMs: number): void {
    this.#stored.set(digest, { size, lastUsedMs: Math.max(this.#stored.get(digest)?.lastUsedMs ?? 0, atMs) });
  }

  forget(digest: Digest): void {
    this.#stored.delete(digest);
  }

  setVisibility(key: RepositoryKey, visibility: Visibility): void {
    this.room(key).visibility = visibility;
  }

  touch({ repository, digest, atMs }: Use): void {
    const blob = this.#stored.get(digest);
    if (blob !== undefined) blob.lastUsedMs = Math.max(blob.lastUsedMs, atMs);
    const room = this.room(repository);
    const held = room.held.get(digest);
    if (held !== undefined) held.lastUsedMs = Math.max(held.lastUsedMs, atMs);
    for (const parent of parentsOf(room, digest)) this.touch({ repository, digest: parent, atMs });
  }

  candidates(): readonly Candidate[] {
    const manifests = [...this.rooms.values()]
      .filter(({ key }) => key.upstream !== undefined)
      .flatMap((room) => [...room.held.values()].map((held) => ({ room, held, digest: held.manifest.digest })))
      .filter(({ room, digest }) => !this.#isPinned(room, digest))
      .map(({ room, held, digest }) => ({
        repository: room.key,
        manifest: digest,
        blob: undefined,
        lastUsedMs: held.lastUsedMs,
        gone: isGone(room, digest),
        chosen: true as const,
      }));
    const blobs = [...this.#stored]
      .filter(([digest]) => !this.#isReferred(digest) && !this.#isHosted(digest))
      .map(([blob, { lastUsedMs }]) => ({
        repository: undefined,
        manifest: undefined,
        blob,
        lastUsedMs,
        gone: false,
        chosen: true as const,
      }));
    return [...manifests, ...blobs];
  }

  evict({ repository, manifest, blob, chosen }: Candidate): readonly Digest[] {
    if (blob !== undefined) return this.#drop([blob]);
    if (repository === undefined || manifest === undefined) return [];
    const left = this.#removeFrom(repository, manifest);
    if (chosen === true) return this.#drop(left);
    const lost = new Set(left);
    for (let child = left.pop(); child !== undefined; child = left.pop()) {
      if (!this.#isOrphan(repository, child)) continue;
      for (const each of this.#removeFrom(repository, child)) {
        left.push(each);
        lost.add(each);
      }
    }
    return this.#drop([...lost]);
  }

  /** What it listed. */
  #removeFrom(repository: RepositoryKey, manifest: Digest): Digest[] {
    const held = this.room(repository).held.get(manifest);
    this.remove(repository, manifest);
    return held?.manifest.children.map(({ digest }) => digest) ?? [];
  }

  #isOrphan(repository: RepositoryKey, manifest: Digest): boolean {
    const { held, tags } = this.room(repository);
    const isListed = [...held.values()].some((each) =>
      each.manifest.children.some(({ digest }) => digest === manifest),
    );
    return held.has(manifest) && !isListed && ![...tags.values()].some(({ digest }) => digest === manifest);
  }

  pin(pattern: string): void {
    this.#pins.add(pattern);
  }

  unpin(pattern: string): boolean {
    return this.#pins.delete(pattern);
  }

  cachedBytes(): number {
    return sum([...this.#stored].filter(([digest]) => !this.#isHosted(digest)).map(([, { size }]) => size));
  }

  statistics(): IndexStatistics {
    const rooms = [...this.rooms.values()];
    return {
      repositories: rooms.filter(({ held }) => held.size > 0).length,
      manifests: sum(rooms.map(({ held }) => held.size)),
      tags: sum(rooms.map(({ tags }) => [...tags.values()].filter(({ digest }) => digest !== undefined).length)),
      blobs: this.#stored.size,
      heldBytes: sum([...this.#stored.values()].map(({ size }) => size)),
    };
  }

  images(): readonly ImageRow[] {
    const rooms = [...this.rooms].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, room]) => room);
    return rooms.flatMap((room) =>
      [...room.held.values()]
        .sort((one, other) => (one.manifest.digest < other.manifest.digest ? -1 : 1))
        .map((held) => this.#imageRow(room, held)),
    );
  }

  #imageRow(room: Room, { manifest, storedAtMs, lastUsedMs, gone }: Held): ImageRow {
    const { digest, mediaType } = manifest;
    const children = descendantsOf(room, manifest);
    const heldBytes = (child: Digest): number =>
      this.#stored.get(child)?.size ?? room.held.get(child)?.manifest.size ?? 0;
    return {
      key: room.key,
      digest,
      mediaType,
      tags: [...room.tags].flatMap(([tag, target]) => (target.digest === digest ? [tag] : [])).sort(),
      describedBytes: sum([...children.values()]),
      heldBytes: sum([...children.keys()].map(heldBytes)),
      storedAtMs,
      lastUsedMs,
      pinned: this.#isPinned(room, digest),
      gone,
    };
  }

  #point(key: RepositoryKey, tag: Tag, digest: Digest, atMs: number): boolean {
    if (!this.room(key).held.has(digest)) return false;
    this.room(key).tags.set(tag, { digest, checkedAtMs: atMs, seen: undefined });
    return true;
  }

  #drop(digests: readonly Digest[]): readonly Digest[] {
    const loose = [...new Set(digests)].filter((digest) => !this.#isReferred(digest) && !this.#isHosted(digest));
    for (const digest of loose) this.#members.delete(digest);
    return loose.filter((digest) => this.#stored.delete(digest));
  }

  #isReferred(digest: Digest): boolean {
    return [...this.rooms.values()].some((room) => parentsOf(room, digest).length > 0);
  }

  #isHosted(digest: Digest): boolean {
    const members = this.#members.get(digest);
    return [...this.rooms.values()].some(
      (room) =>
        room.key.upstream === undefined && (members?.has(displayOf(room.key)) || parentsOf(room, digest).length > 0),
    );
  }

  #isPinned(room: Room, digest: Digest): boolean {
    const display = displayOf(room.key);
    const tags = [...room.tags].filter(([, target]) => target.digest === digest);
    if (tags.some(([tag]) => this.#pins.has(`${display}:${tag}`) || this.#pins.has(`${display}:*`))) return true;
    if (this.#pins.has(`${display}@${digest}`)) return true;
    return parentsOf(room, digest).some((parent) => this.#isPinned(room, parent));
  }
}

function parentsOf(room: Room, digest: Digest): readonly Digest[] {
  const parents = [...room.held.values()].filter(({ manifest }) =>
    manifest.children.some((each) => each.digest === digest),
  );
  return parents.map(({ manifest }) => manifest.digest);
}

function isGone(room: Room, digest: Digest): boolean {
  return room.held.get(digest)?.gone === true || parentsOf(room, digest).some((parent) => isGone(room, parent));
}

/** With the sizes that their descriptors say. */
function descendantsOf(room: Room, manifest: Manifest): Map<Digest, number> {
  const found = new Map<Digest, number>();
  for (const { digest, size } of manifest.children) {
    found.set(digest, size);
    const held = room.held.get(digest);
    if (held !== undefined) for (const [each, bytes] of descendantsOf(room, held.manifest)) found.set(each, bytes);
  }
  return found;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
