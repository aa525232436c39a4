import type { Index, Visibility } from '../index/contract.ts';
import { remember } from '../index/remember.ts';
import type { Clock } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { RepositoryKey, Wanted } from '../oci/repository.ts';
import type { Identity, UpstreamRepository, Upstreams } from '../upstream/contract.ts';

export interface VisibilitiesOptions {
  readonly index: Index;
  readonly upstreams: Upstreams;
  readonly clock: Clock;
  readonly observer: Observer;
}

/** What was public an hour ago is asked about again, in milliseconds. */
export const recheckMs = 60 * 60 * 1000;
/** The same before anybody sees what was not held then: our own credentials may have got it since. */
const recheckNewMs = 60 * 1000;
/** What was not public may have been opened since, in milliseconds. */
const recheckPrivateMs = 60 * 1000;
const rememberedMax = 10_000;
/** Repositories that are asked about again for one blob. */
const askedMax = 3;

/**
 * Which repositories anybody may read upstream. Where we have no credentials we are anybody ourselves, and what we are given
 * is public. Where we have some, the upstream is asked as anybody. Credentials come and go with the configuration: what was
 * obtained with them stays what it is when they are gone.
 */
export class Visibilities {
  readonly #options: VisibilitiesOptions;
  readonly #remembered = new Map<string, Visibility>();
  readonly #asking = new Map<string, Promise<Visibility>>();
  /** How often something was learned that the index may not have been told. */
  #lessons = 0;

  constructor(options: VisibilitiesOptions) {
    this.#options = options;
  }

  /** @returns whether it is still public, as long as the index and the configuration are as they are; as for Access */
  recall(key: RepositoryKey): (() => boolean) | undefined {
    const known = this.#remembered.get(this.#nameOf(key));
    if (known?.public !== true) return undefined;
    const [learned, open] = [this.#lessons, this.isOpen(key)];
    return () => learned === this.#lessons && open === this.isOpen(key) && this.isRecent(key, known);
  }

  /** Whether anybody may read the blob in one of these; what was found out long ago is found out again. */
  async isPublic(digest: Digest, keys: readonly RepositoryKey[]): Promise<boolean> {
    const old: (readonly [RepositoryKey, Visibility])[] = [];
    for (const key of keys) {
      const known = await this.find(key);
      if (known?.public !== true) continue;
      if (this.isRecent(key, known)) return true;
      if (this.#upstreamOf(key) !== undefined) old.push([key, known]);
    }
    for (const [key, known] of old.slice(0, askedMax)) {
      if ((await this.recheck(key, { object: 'blob', reference: digest }, known)).public) return true;
    }
    return false;
  }

  /** As for Access. */
  async witness(key: RepositoryKey, identity: Identity = 'own', manifest?: Digest): Promise<boolean> {
    if (typeof identity === 'object') return true;
    const { index, clock } = this.#options;
    const kept = await index.repositories.visibility(key);
    if (this.isOpen(key)) {
      if (kept === undefined) await index.repositories.setVisibility(key, { public: true, checkedAtMs: clock.now() });
      return true;
    }
    return manifest === undefined || (await this.confirm(key, { object: 'manifest', reference: manifest }));
  }

  /**
   * Our own credentials have got what is wanted: whether it is known now who else may read it. What was said to be public is
   * looked at again, unless that was just now.
   */
  async confirm(key: RepositoryKey, wanted: Wanted): Promise<boolean> {
    const known = await this.keptOf(key);
    if (known?.public !== true || this.isRecent(key, known, true)) return true;
    try {
      await this.recheck(key, wanted, known, true);
      return true;
    } catch (error) {
      if (error instanceof RegistryError && error.origin === 'upstream') return false;
      throw error;
    }
  }

  /** As for Access. */
  async doubt(key: RepositoryKey): Promise<boolean> {
    const { index } = this.#options;
    const kept = await index.repositories.visibility(key);
    if (kept?.public !== true) return false;
    this.#lessons += 1;
    this.#remembered.delete(this.#nameOf(key));
    await index.repositories.setVisibility(key, { public: true, checkedAtMs: 0 });
    return true;
  }

  /** Whether we are anybody there ourselves. */
  isOpen(key: RepositoryKey): boolean {
    return this.#upstreamOf(key)?.hasCredentials === false;
  }

  /** What was found out, and nothing that is only likely. */
  async keptOf(key: RepositoryKey): Promise<Visibility | undefined> {
    const inMemory = this.#remembered.get(this.#nameOf(key));
    if (inMemory !== undefined && this.isRecent(key, inMemory)) return inMemory;
    return await this.#options.index.repositories.visibility(key);
  }

  /** What is known, however old that is. */
  async find(key: RepositoryKey): Promise<Visibility | undefined> {
    const name = this.#nameOf(key);
    const inMemory = this.#remembered.get(name);
    if (inMemory !== undefined && this.isRecent(key, inMemory)) return inMemory;
    const kept = await this.#options.index.repositories.visibility(key);
    const known = this.isOpen(key) ? await this.#asAnybody(key, kept) : kept;
    if (known !== undefined && kept !== undefined) this.#keepInMind(name, known);
    return known;
  }

  /** @param isNew for what was not held before; what an upstream gives us as anybody is public whenever it comes */
  isRecent(key: RepositoryKey, visibility: Visibility, isNew = false): boolean {
    // What was checked far in the future was checked by a clock that has been put right since.
    const ageMs = Math.abs(this.#options.clock.now() - visibility.checkedAtMs);
    if (!visibility.public) return ageMs < recheckPrivateMs;
    return ageMs < (isNew && !this.isOpen(key) ? recheckNewMs : recheckMs);
  }

  /**
   * What the upstream says to anybody, for all who ask for the same at the same time. When it cannot be asked, what was last
   * known counts; for what is new, only if that is recent.
   * @throws RegistryError what kept us from finding out, where nothing is known that counts
   */
  async recheck(...question: Question): Promise<Visibility> {
    const [key, wanted, , isNew = false] = question;
    // What is new is there, whatever it is: the answer is about the repository.
    const what = isNew ? 'new' : wanted.object === 'list' ? '' : wanted.reference;
    const name = `${this.#nameOf(key)} ${what}`;
    const running = this.#asking.get(name);
    if (running !== undefined) return running;
    const mine = this.#recheck(...question).finally(() => this.#asking.delete(name));
    this.#asking.set(name, mine);
    return mine;
  }

  async #recheck(...[key, wanted, known, isNew = false]: Question): Promise<Visibility> {
    const { index, clock, observer } = this.#options;
    let isPublicNow: boolean | undefined;
    try {
      isPublicNow = await this.#anybodyMayRead(key, wanted);
    } catch (error) {
      if (known !== undefined && (!isNew || this.isRecent(key, known))) return known;
      throw error;
    }
    // What we have got and anybody is told is not there, is not for anybody.
    if (isPublicNow === undefined && !isNew) return known ?? { public: false, checkedAtMs: clock.now() };
    const visibility = { public: isPublicNow ?? false, checkedAtMs: clock.now() };
    if (known?.public === true && !visibility.public) this.#lessons += 1;
    await remember(observer, () => index.repositories.setVisibility(key, visibility));
    this.#keepInMind(this.#nameOf(key), visibility);
    return visibility;
  }

  /** `undefined` when that could not be learned: what is not there says nothing about the rest of the repository. */
  async #anybodyMayRead(key: RepositoryKey, wanted: Wanted): Promise<boolean | undefined> {
    const repository = this.#upstreamOf(key)?.repository(key.name);
    if (repository === undefined) return false;
    const isList = wanted.object === 'list';
    const isThere = isList ? false : await orDenied(has(repository, wanted));
    if (isThere !== false) return isThere === true;
    const list = await orDenied(repository.tags({ limit: 1, last: undefined }, 'anonymous'));
    if (list === 'denied') return isList ? false : undefined;
    return list !== undefined;
  }

  /** Without credentials only what is held from a time when there were some can be other than public. */
  async #asAnybody(key: RepositoryKey, kept: Visibility | undefined): Promise<Visibility | undefined> {
    const { index, clock } = this.#options;
    const isHeld = kept === undefined && (await index.repositories.manifests(key, 1)).length > 0;
    return isHeld || kept?.public === false ? kept : { public: true, checkedAtMs: clock.now() };
  }

  #upstreamOf({ upstream }: RepositoryKey): ReturnType<Upstreams['find']> {
    return upstream === undefined ? undefined : this.#options.upstreams.find(upstream);
  }

  #keepInMind(name: string, visibility: Visibility): void {
    if (this.#remembered.size >= rememberedMax) this.#remembered.clear();
    this.#remembered.set(name, visibility);
  }

  #nameOf(key: RepositoryKey): string {
    return `${this.isOpen(key) ? 'anybody' : 'we'} at ${key.upstream ?? ''}/${key.name}`;
  }
}

type Question = readonly [key: RepositoryKey, wanted: Wanted, known: Visibility | undefined, isNew?: boolean];

async function has(
  repository: UpstreamRepository,
  wanted: Exclude<Wanted, { readonly object: 'list' }>,
): Promise<boolean> {
  const found =
    wanted.object === 'blob'
      ? await repository.blobSize(wanted.reference, 'anonymous', { direct: true })
      : await repository.resolve(wanted.reference, 'anonymous', { direct: true });
  return found !== undefined;
}

async function orDenied<T>(asked: Promise<T>): Promise<T | 'denied'> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'UPSTREAM_DENIED') return 'denied';
    throw error;
  }
}
