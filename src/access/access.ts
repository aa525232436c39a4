import type { Index, Visibility } from '../index/contract.ts';
import type { Clock } from '../observe/clock.ts';
import { RegistryError } from '../oci/errors.ts';
import { isDigestReference } from '../oci/reference.ts';
import type { Reference } from '../oci/reference.ts';
import type { Asker, RepositoryKey } from '../oci/repository.ts';
import type { Upstreams } from '../upstream/contract.ts';

export interface AccessOptions {
  readonly index: Index;
  readonly upstreams: Upstreams;
  readonly clock: Clock;
  /** Who may see what only our credentials can see, by the upstream's canonical name. */
  exposure(upstream: string): 'anyone' | 'authenticated' | 'passthrough';
}

/** Who may see what. One function stands before every lookup, every joining of a download, every listing. */
export interface Access {
  /**
   * @param reference what is asked for; `undefined` for a listing
   * @throws RegistryError `DENIED` when the asker may not read it
   */
  mayRead(asker: Asker, key: RepositoryKey, reference: Reference | undefined): Promise<void>;
  /** Whether anybody may read the repository upstream, as far as that is known. */
  isPublic(key: RepositoryKey): Promise<boolean>;
}

/** What was public an hour ago is asked about again, in milliseconds. */
const recheckMs = 60 * 60 * 1000;
/** What was not public may have been opened since, in milliseconds. */
const recheckPrivateMs = 60 * 1000;
const rememberedMax = 10_000;

/**
 * What an anonymous request may read upstream is public and shared by all. Only an upstream that we have credentials
 * for can show us anything else: there the upstream is asked, as anybody, whether the repository is public.
 */
export function createAccess(options: AccessOptions): Access {
  const { index, upstreams, clock } = options;
  const remembered = new Map<string, Visibility>();

  async function mayRead(asker: Asker, key: RepositoryKey, reference: Reference | undefined): Promise<void> {
    if (asker.kind === 'operator' || key.upstream === undefined) return;
    const known = await visibilityOf(key);
    if (known !== undefined && isRecent(known) && known.public) return;
    if (options.exposure(key.upstream) === 'anyone') return;
    const now = known !== undefined && isRecent(known) ? known : await recheck(key, reference, known);
    if (!now.public) throw hidden(key);
  }

  async function isPublic(key: RepositoryKey): Promise<boolean> {
    return (await visibilityOf(key))?.public ?? false;
  }

  async function visibilityOf(key: RepositoryKey): Promise<Visibility | undefined> {
    const name = `${key.upstream ?? ''}/${key.name}`;
    const inMemory = remembered.get(name);
    if (inMemory !== undefined && isRecent(inMemory)) return inMemory;
    const open = key.upstream !== undefined && upstreams.find(key.upstream)?.hasCredentials === false;
    const kept = await index.repositories.visibility(key);
    const known = open ? { public: true, checkedAtMs: clock.now() } : kept;
    if (open && kept?.public !== true)
      await index.repositories.setVisibility(key, { public: true, checkedAtMs: clock.now() });
    if (known !== undefined) remember(name, known);
    return known;
  }

  /** When the upstream cannot be asked, what was last known counts. */
  async function recheck(
    key: RepositoryKey,
    reference: Reference | undefined,
    known: Visibility | undefined,
  ): Promise<Visibility> {
    let isPublicNow: boolean;
    try {
      isPublicNow = await anybodyMayRead(key, reference);
    } catch (error) {
      if (known !== undefined) return known;
      throw error;
    }
    const visibility = { public: isPublicNow, checkedAtMs: clock.now() };
    await index.repositories.setVisibility(key, visibility);
    remember(`${key.upstream ?? ''}/${key.name}`, visibility);
    return visibility;
  }

  async function anybodyMayRead(key: RepositoryKey, reference: Reference | undefined): Promise<boolean> {
    const repository = key.upstream === undefined ? undefined : upstreams.find(key.upstream)?.repository(key.name);
    if (repository === undefined) return false;
    try {
      if (reference === undefined)
        return (await repository.tags({ limit: 1, last: undefined }, 'anonymous')) !== undefined;
      if ((await repository.resolve(reference, 'anonymous')) !== undefined) return true;
      return isDigestReference(reference) && (await repository.blobSize(reference, 'anonymous')) !== undefined;
    } catch (error) {
      if (error instanceof RegistryError && error.code === 'UPSTREAM_DENIED') return false;
      throw error;
    }
  }

  function isRecent(visibility: Visibility): boolean {
    return clock.now() - visibility.checkedAtMs < (visibility.public ? recheckMs : recheckPrivateMs);
  }

  function remember(name: string, visibility: Visibility): void {
    if (remembered.size >= rememberedMax) remembered.clear();
    remembered.set(name, visibility);
  }

  return { mayRead, isPublic };
}

/** The same words whether it exists or not: only those who may see it learn that. */
function hidden(key: RepositoryKey): RegistryError {
  const setting = `upstreams."${key.upstream}".exposure`;
  return new RegistryError(
    'DENIED',
    `${key.upstream}/${key.name} is not public, and ${setting} shares what this cache's own credentials can read with authenticated users only; set it to "anyone" to share it with everybody`,
    key.upstream === undefined ? {} : { upstream: key.upstream },
  );
}
