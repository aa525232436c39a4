import type { HeldTag } from '../index/contract.ts';
import { remember } from '../index/remember.ts';
import { inTime } from '../observe/in-time.ts';
import type { Digest } from '../oci/digest.ts';
import { messageOf, RegistryError } from '../oci/errors.ts';
import type { ErrorCode } from '../oci/errors.ts';
import type { Descriptor, Manifest, ManifestContent } from '../oci/manifest.ts';
import type { Tag } from '../oci/reference.ts';
import type { Outcome, RepositoryKey } from '../oci/repository.ts';
import type { Identity, UpstreamRepository } from '../upstream/contract.ts';
import type { Dated } from './again.ts';
import { isOutlived, judge } from './freshness.ts';
import type { Policy } from './freshness.ts';
import { suffixOf } from './identity.ts';
import type { RepositoryContext } from './repository-context.ts';

/** How long an upstream that has failed may take to show that it is back, in milliseconds. */
const ailingMsMax = 1_000;

/** Where a tag points, and how we know. */
interface Pointed {
  readonly descriptor: Descriptor;
  /** Where it was looked up on the way. */
  readonly held?: ManifestContent;
  readonly outcome: Outcome;
  readonly atMs: number;
}

/**
 * Manifests of one repository of an upstream: by digest for ever once held, by tag as fresh as the policy wants, and
 * as stale as need be when the upstream is away.
 */
export class Manifests {
  readonly #key: RepositoryKey;
  readonly #upstream: UpstreamRepository;
  readonly #identity: Identity;
  readonly #policy: Policy;
  readonly #context: RepositoryContext;

  constructor(
    key: RepositoryKey,
    upstream: UpstreamRepository,
    identity: Identity,
    policy: Policy,
    context: RepositoryContext,
  ) {
    this.#key = key;
    this.#upstream = upstream;
    this.#identity = identity;
    this.#policy = policy;
    this.#context = context;
  }

  async byDigest(digest: Digest): Promise<Dated<ManifestContent> | undefined> {
    const { index, once } = this.#context;
    const held = await index.manifests.find(this.#key, digest);
    if (held !== undefined) return this.#used(held, 'hit', held.storedAtMs);
    const look = async (): Promise<ManifestContent | undefined> => index.manifests.find(this.#key, digest);
    const fetch = async (): Promise<ManifestContent | undefined> => {
      const manifest = await this.#upstream.manifest(digest, this.#identity);
      if (manifest !== undefined) await this.#put(manifest);
      return manifest;
    };
    const { value, shared } = await once.run(this.#workKey('manifest', digest), look, fetch);
    return value === undefined
      ? undefined
      : this.#used(value, shared ? 'coalesced' : 'miss', this.#context.clock.now());
  }

  async byTag(tag: Tag, revalidate: boolean): Promise<Dated<ManifestContent> | undefined> {
    const held = await this.#context.index.tags.find(this.#key, tag);
    if (this.#judge(tag, held, revalidate) === 'absent') return this.#firstByTag(tag);
    const pointed = await this.#point(tag, held, revalidate);
    return pointed && this.#pointedAt(tag, held, pointed);
  }

  /** Without moving the manifest's bytes, if that can be avoided. */
  async describe(digest: Digest): Promise<Dated<Descriptor> | undefined> {
    const held = await this.#context.index.manifests.find(this.#key, digest);
    if (held !== undefined) return this.#used(held, 'hit', held.storedAtMs);
    const ask = async (): Promise<Descriptor | undefined> => {
      const resolution = await this.#upstream.resolve(digest, this.#identity);
      if (resolution?.manifest !== undefined) await this.#put(resolution.manifest);
      return resolution?.descriptor;
    };
    const { value, shared } = await this.#context.once.share(this.#workKey('descriptor', digest), ask);
    return value && this.#aged(value, shared ? 'coalesced' : 'miss', this.#context.clock.now());
  }

  async resolveTag(tag: Tag, revalidate: boolean): Promise<Dated<Descriptor> | undefined> {
    const held = await this.#context.index.tags.find(this.#key, tag);
    const pointed = await this.#point(tag, held, revalidate);
    if (pointed === undefined) return undefined;
    // The client would ask for it next by its digest, where nothing can stand in for it.
    const hasMoved = held?.digest !== undefined && held.digest !== pointed.descriptor.digest;
    if (hasMoved) return this.#pointedAt(tag, held, pointed);
    this.#context.uses.note(this.#key, pointed.descriptor.digest);
    return this.#aged(pointed.descriptor, pointed.outcome, pointed.atMs);
  }

  /** The manifest that the tag points at now; what it pointed at before when that cannot be had. */
  async #pointedAt(tag: Tag, held: HeldTag | undefined, pointed: Pointed): Promise<Dated<ManifestContent>> {
    if (pointed.held !== undefined) return this.#used(pointed.held, pointed.outcome, pointed.atMs);
    try {
      const answer = await this.byDigest(pointed.descriptor.digest);
      if (answer === undefined) throw vanished(tag, pointed.descriptor.digest);
      return answer.outcome === 'hit' ? this.#aged(answer.value, pointed.outcome, pointed.atMs) : answer;
    } catch (error) {
      if (held?.digest === undefined || !isOutlived(error, this.#policy)) throw error;
      return this.#stale(tag, held.digest, held.checkedAtMs, error);
    }
  }

  #judge(tag: Tag, held: HeldTag | undefined, revalidate: boolean): ReturnType<typeof judge> {
    return judge(held, this.#policy.freshMs(tag), this.#context.clock.now(), revalidate);
  }

  /** Nothing is held under this tag: one GET brings both where it points and the manifest. */
  async #firstByTag(tag: Tag): Promise<Dated<ManifestContent> | undefined> {
    const { index, once, clock } = this.#context;
    const look = async (): Promise<ManifestContent | undefined> => {
      const held = await index.tags.find(this.#key, tag);
      return held?.digest === undefined ? undefined : index.manifests.find(this.#key, held.digest);
    };
    const fetch = async (): Promise<ManifestContent | undefined> => {
      const manifest = await this.#upstream.manifest(tag, this.#identity);
      if (manifest === undefined) return undefined;
      const isHeld = await this.#put(manifest);
      if (isHeld) await this.#remember(() => index.tags.point(this.#key, tag, manifest.digest, clock.now()));
      return manifest;
    };
    const { value, shared } = await once.run(this.#workKey('tag', tag), look, fetch);
    return value === undefined ? undefined : this.#used(value, shared ? 'coalesced' : 'miss', clock.now());
  }

  /** Where the tag points, asking the upstream when that is due; `undefined` when there is no such tag. */
  async #point(tag: Tag, held: HeldTag | undefined, revalidate: boolean): Promise<Pointed | undefined> {
    const judgement = this.#judge(tag, held, revalidate);
    if (judgement === 'seen' && held?.seen !== undefined) {
      return { descriptor: held.seen.descriptor, outcome: 'hit', atMs: held.seen.atMs };
    }
    if (judgement === 'fresh' && held?.digest !== undefined) {
      const manifest = await this.#context.index.manifests.find(this.#key, held.digest);
      if (manifest !== undefined)
        return { descriptor: manifest, held: manifest, outcome: 'hit', atMs: held.checkedAtMs };
    }
    const window = revalidate || held?.digest === undefined ? 0 : this.#policy.freshMs(tag);
    const refused = this.#context.refusals.recall(this.#workKey('check', tag), window, this.#context.clock.now());
    if (refused !== undefined) return this.#pointStale(tag, held, refused.refusal);
    try {
      const pointed = await this.#patiently(this.#check(tag, held), held);
      if (pointed !== undefined) return pointed;
      throw goneUpstream(tag);
    } catch (error) {
      if (held?.digest !== undefined) await this.#noteRefusal(tag, held.digest, error);
      return this.#pointStale(tag, held, error);
    }
  }

  /** Whoever can be served from what is held does not wait out the deadlines of an upstream that failed a moment ago. */
  async #patiently<T>(check: Promise<T>, held: HeldTag | undefined): Promise<T> {
    if (held?.digest === undefined || !this.#upstream.isAiling) return await check;
    return await inTime(this.#context.clock, ailingMsMax, check, () => stillAway());
  }

  /** Only of what is held and kept: what the upstream says of other tags is passed on every time. */
  async #noteRefusal(tag: Tag, digest: Digest, reason: unknown): Promise<void> {
    const gone = isCode(reason, 'MANIFEST_UNKNOWN');
    if (!isOutlived(reason, this.#policy) || (!gone && !isCode(reason, 'UPSTREAM_DENIED'))) return;
    this.#context.refusals.note(this.#workKey('check', tag), reason, this.#context.clock.now());
    if (gone) await this.#mark(digest, true);
  }

  /** The upstream cannot be asked, or refuses: where the tag pointed before, as far as the policy keeps that. */
  async #pointStale(tag: Tag, held: HeldTag | undefined, reason: unknown): Promise<Pointed | undefined> {
    if (held?.digest === undefined || !isOutlived(reason, this.#policy)) {
      if (!isCode(reason, 'MANIFEST_UNKNOWN')) throw reason;
      const isOurMatter = typeof this.#identity !== 'object';
      if (held !== undefined && isOurMatter)
        await this.#remember(() => this.#context.index.tags.remove(this.#key, tag));
      return undefined;
    }
    const { value } = await this.#stale(tag, held.digest, held.checkedAtMs, reason);
    return { descriptor: value, held: value, outcome: 'stale', atMs: held.checkedAtMs };
  }

  /** One HEAD, shared by all who ask meanwhile. */
  async #check(tag: Tag, held: HeldTag | undefined): Promise<Pointed | undefined> {
    const { index, once, clock } = this.#context;
    const look = async (): Promise<Pointed | undefined> => {
      const now = await index.tags.find(this.#key, tag);
      const judgement = this.#judge(tag, now, false);
      if (now === undefined || (judgement !== 'fresh' && judgement !== 'seen')) return undefined;
      return this.#point(tag, now, false);
    };
    const ask = async (): Promise<Pointed | undefined> => {
      const resolution = await this.#upstream.resolve(tag, this.#identity);
      if (resolution === undefined) return undefined;
      const { descriptor, manifest } = resolution;
      const atMs = clock.now();
      const isHeld =
        manifest === undefined
          ? (await index.manifests.find(this.#key, descriptor.digest)) !== undefined
          : await this.#put(manifest);
      await this.#remember(() => {
        if (held?.digest === descriptor.digest && held.seen === undefined)
          return index.tags.confirm(this.#key, tag, atMs);
        if (isHeld) return index.tags.point(this.#key, tag, descriptor.digest, atMs);
        return index.tags.see(this.#key, tag, descriptor, atMs);
      });
      if (isHeld) await this.#mark(descriptor.digest, false);
      const outcome = isHeld && manifest === undefined ? 'revalidated' : 'miss';
      return { descriptor, ...(manifest && { held: manifest }), outcome, atMs };
    };
    return (await once.run(this.#workKey('check', tag), look, ask)).value;
  }

  /** @throws the reason itself when nothing is held after all */
  async #stale(tag: Tag, digest: Digest, checkedAtMs: number, reason: unknown): Promise<Dated<ManifestContent>> {
    const held = await this.#context.index.manifests.find(this.#key, digest);
    if (held === undefined) throw reason;
    this.#context.observer.emit({
      type: 'cache.stale',
      upstream: this.#key.upstream ?? '',
      repository: this.#key.name,
      reference: tag,
      reason: messageOf(reason),
    });
    return this.#used(held, 'stale', checkedAtMs);
  }

  /**
   * By way of the transaction that also moves the tags that were waiting for this manifest.
   * @returns whether it is held
   */
  async #put(manifest: Manifest): Promise<boolean> {
    const { index, clock } = this.#context;
    let mayBeHeld = false;
    const isWritten = await this.#remember(async () => {
      mayBeHeld = await this.#context.witness(this.#key, this.#identity, manifest.digest);
      if (mayBeHeld) await index.manifests.put(this.#key, manifest, clock.now());
    });
    return isWritten && mayBeHeld;
  }

  async #mark(digest: Digest, gone: boolean): Promise<void> {
    await this.#remember(() => this.#context.index.manifests.mark(this.#key, digest, gone));
  }

  #remember(write: () => Promise<unknown>): Promise<boolean> {
    return remember(this.#context.observer, write);
  }

  #used<T extends Descriptor>(value: T, outcome: Outcome, atMs: number): Dated<T> {
    this.#context.uses.note(this.#key, value.digest);
    return this.#aged(value, outcome, atMs);
  }

  #aged<T>(value: T, outcome: Outcome, atMs: number): Dated<T> {
    return { value, outcome, atMs, ageSeconds: Math.max(0, Math.floor((this.#context.clock.now() - atMs) / 1000)) };
  }

  #workKey(kind: string, reference: string): string {
    return `${kind}:${this.#key.upstream ?? ''}/${this.#key.name}:${reference}${suffixOf(this.#identity)}`;
  }
}

function stillAway(): RegistryError {
  const message = `the upstream failed a moment ago, and has not answered within ${ailingMsMax} ms`;
  return new RegistryError('UPSTREAM_TIMEOUT', message, { origin: 'upstream' });
}

function vanished(tag: Tag, digest: Digest): RegistryError {
  return new RegistryError('UPSTREAM_FAILED', `the upstream points ${tag} at ${digest}, which it does not have`);
}

function goneUpstream(tag: Tag): RegistryError {
  const options = { origin: 'upstream', upstreamStatus: 404 } as const;
  return new RegistryError('MANIFEST_UNKNOWN', `the upstream no longer has the tag ${tag}`, options);
}

function isCode(error: unknown, code: ErrorCode): boolean {
  return error instanceof RegistryError && error.code === code;
}
