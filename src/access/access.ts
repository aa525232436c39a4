import type { Index, Visibility } from '../index/contract.ts';
import { remember } from '../index/remember.ts';
import type { Clock } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import { RegistryError } from '../oci/errors.ts';
import { isDigestReference } from '../oci/reference.ts';
import type { Reference } from '../oci/reference.ts';
import { fullName } from '../oci/repository.ts';
import type { Action, Asker, Presented, RepositoryKey, Wanted } from '../oci/repository.ts';
import type { Identity, UpstreamRepository, Upstreams } from '../upstream/contract.ts';
import type { ClientRights } from './client-rights.ts';

export interface AccessOptions {
  readonly index: Index;
  readonly upstreams: Upstreams;
  readonly clock: Clock;
  readonly observer: Observer;
  /** Who may see what only our credentials can see, by the upstream's canonical name. */
  exposure(upstream: string): 'anyone' | 'authenticated' | 'passthrough';
  /** The operator's rules. */
  may(asker: Asker, action: Action, repository: string): boolean;
  /** Of those who come with credentials of an upstream's. */
  readonly rights: ClientRights;
}

/** Who may see what. One function stands before every lookup, every joining of a download, every listing. */
export interface Access {
  /**
   * @returns as whom the upstream is to be asked for what is not held
   * @throws RegistryError `DENIED`, `UNAUTHORIZED` when the asker may not read it; what kept us from finding out
   */
  mayRead(asker: Asker, key: RepositoryKey, wanted: Wanted): Promise<Identity>;
  /**
   * The same for the next ones who ask, without waiting: as long as the index is as it is, and the configuration. False
   * where that does not say; `undefined` where too little is known.
   */
  recall(key: RepositoryKey): ((asker: Asker) => boolean) | undefined;
  /** The same for showing that it is there. Asks no upstream: what is not known to be readable is not shown. */
  mayList(asker: Asker, key: RepositoryKey): Promise<boolean>;
  /** Whether anybody may read the repository upstream, as far as that is known. */
  isPublic(key: RepositoryKey): Promise<boolean>;
  /** To be told before content that the upstream has just given us comes to be held. */
  witness(key: RepositoryKey, identity?: Identity): Promise<void>;
  /** To be told when the upstream refuses what it was said to show to anybody. False when nothing is new in that. */
  doubt(key: RepositoryKey): Promise<boolean>;
}

/** What was public an hour ago is asked about again, in milliseconds. */
const recheckMs = 60 * 60 * 1000;
/** What was not public may have been opened since, in milliseconds. */
const recheckPrivateMs = 60 * 1000;
const rememberedMax = 10_000;

/**
 * What an anonymous request may read upstream is public and shared by all. Where we have no credentials we are anybody
 * ourselves, and what we are given is public. Where we have some, the upstream is asked as anybody. Credentials come and
 * go with the configuration: what was obtained with them stays what it is when they are gone.
 */
export function createAccess(options: AccessOptions): Access {
  const { index, upstreams, clock, observer, rights } = options;
  const remembered = new Map<string, Visibility>();
  const asking = new Map<string, Promise<Visibility>>();
  /** How often something was learned that the index may not have been told. */
  let lessons = 0;

  async function mayRead(asker: Asker, key: RepositoryKey, wanted: Wanted): Promise<Identity> {
    if (!options.may(asker, 'pull', fullName(key))) throw forbidden(asker, 'pull', key);
    if (asker.kind === 'operator' || key.upstream === undefined) return 'own';
    if (asker.presents !== undefined) return await mayReadThere(asker, asker.presents, key, wanted);
    const known = await visibilityOf(key);
    if (known !== undefined && isRecent(known) && known.public) return 'own';
    if (await isTrusted(asker, key, wanted)) return 'own';
    const now = known !== undefined && isRecent(known) ? known : await recheckOnce(key, wanted, known);
    if (!now.public) throw hidden(asker, key);
    return 'own';
  }

  function recall(key: RepositoryKey): ((asker: Asker) => boolean) | undefined {
    const name = fullName(key);
    const known = remembered.get(nameOf(key));
    if (known?.public !== true) return undefined;
    const [learned, open] = [lessons, isOpen(key)];
    return (asker) =>
      learned === lessons &&
      open === isOpen(key) &&
      asker.kind !== 'operator' &&
      options.may(asker, 'pull', name) &&
      isRecent(known);
  }

  /** For one who believes to talk to the upstream itself: whatever is not public he sees as it shows it to him. */
  async function mayReadThere(
    asker: Asker,
    presents: Presented,
    key: RepositoryKey,
    wanted: Wanted,
  ): Promise<Identity> {
    const known = await keptVisibility(key);
    const isKnown = known !== undefined && isRecent(known);
    const away: Visibility = known ?? { public: false, checkedAtMs: 0 };
    const now = isKnown ? known : await recheckOnce(key, wanted, known).catch(unlessAway(away));
    if (now.public) return 'own';
    const isElsewhere = presents.upstream !== key.upstream;
    if (isElsewhere || presents.authorization === undefined) {
      if (await isTrustedThere(asker, key, wanted)) return 'own';
      if (isElsewhere) throw hidden(asker, key);
      return await asHimself(presents, key, wanted);
    }
    // He may be let in where we are not: his own right comes first.
    try {
      return await asHimself(presents, key, wanted);
    } catch (refusal) {
      if (refusal instanceof RegistryError && (await isTrustedThere(asker, key, wanted))) return 'own';
      throw refusal;
    }
  }

  async function asHimself(presents: Presented, key: RepositoryKey, wanted: Wanted): Promise<Identity> {
    const identity = await rights.prove(presents, key, wanted);
    await rights.bring(key);
    return identity;
  }

  async function mayList(asker: Asker, key: RepositoryKey): Promise<boolean> {
    if (!options.may(asker, 'pull', fullName(key))) return false;
    if (asker.kind === 'operator' || key.upstream === undefined) return true;
    if (upstreams.find(key.upstream) === undefined) return false;
    return (isExposed(asker, key.upstream) && !(await rights.isBrought(key))) || isPublic(key);
  }

  /** Whether whatever our own credentials can see there is shown to the asker, too. */
  function isExposed(asker: Asker, upstream: string): boolean {
    const exposure = options.exposure(upstream);
    return exposure === 'anyone' || (exposure === 'authenticated' && asker.kind === 'user');
  }

  /** Where clients have brought something in themselves, being there does not mean that we could have fetched it. */
  async function isTrusted(asker: Asker, key: RepositoryKey, wanted: Wanted): Promise<boolean> {
    if (key.upstream === undefined || !isExposed(asker, key.upstream)) return false;
    return !(await rights.isBrought(key)) || (await rights.isOurs(key, wanted, recheckMs));
  }

  /** Where a client could be asked to log in, we are to be sure that we may read there ourselves. */
  async function isTrustedThere(asker: Asker, key: RepositoryKey, wanted: Wanted): Promise<boolean> {
    if (key.upstream === undefined || !isExposed(asker, key.upstream)) return false;
    try {
      return await rights.isOurs(key, wanted, recheckMs);
    } catch (error) {
      if (error instanceof RegistryError && error.origin === 'upstream') return !(await rights.isBrought(key));
      throw error;
    }
  }

  async function isPublic(key: RepositoryKey): Promise<boolean> {
    return (await visibilityOf(key))?.public ?? false;
  }

  async function witness(key: RepositoryKey, identity: Identity = 'own'): Promise<void> {
    if (typeof identity === 'object' || !isOpen(key) || (await index.repositories.visibility(key)) !== undefined)
      return;
    await index.repositories.setVisibility(key, { public: true, checkedAtMs: clock.now() });
  }

  function isOpen(key: RepositoryKey): boolean {
    return key.upstream !== undefined && upstreams.find(key.upstream)?.hasCredentials === false;
  }

  async function doubt(key: RepositoryKey): Promise<boolean> {
    const kept = await index.repositories.visibility(key);
    if (kept?.public !== true) return false;
    lessons += 1;
    remembered.delete(nameOf(key));
    await index.repositories.setVisibility(key, { public: true, checkedAtMs: 0 });
    return true;
  }

  /** What was found out, and nothing that is only likely. */
  async function keptVisibility(key: RepositoryKey): Promise<Visibility | undefined> {
    const inMemory = remembered.get(nameOf(key));
    return inMemory !== undefined && isRecent(inMemory) ? inMemory : await index.repositories.visibility(key);
  }

  async function visibilityOf(key: RepositoryKey): Promise<Visibility | undefined> {
    const name = nameOf(key);
    const inMemory = remembered.get(name);
    if (inMemory !== undefined && isRecent(inMemory)) return inMemory;
    const kept = await index.repositories.visibility(key);
    const known = isOpen(key) ? await asAnybody(key, kept) : kept;
    if (known !== undefined && kept !== undefined) keepInMind(name, known);
    return known;
  }

  /** Without credentials only what is held from a time when there were some can be other than public. */
  async function asAnybody(key: RepositoryKey, kept: Visibility | undefined): Promise<Visibility | undefined> {
    const isHeld = kept === undefined && (await index.repositories.manifests(key, 1)).length > 0;
    return isHeld || kept?.public === false ? kept : { public: true, checkedAtMs: clock.now() };
  }

  /** For all who ask for the same at the same time. */
  async function recheckOnce(...question: Parameters<typeof recheck>): Promise<Visibility> {
    const [key, wanted] = question;
    const name = `${nameOf(key)} ${wanted.object === 'list' ? '' : wanted.reference}`;
    const running = asking.get(name);
    if (running !== undefined) return running;
    const mine = recheck(...question).finally(() => asking.delete(name));
    asking.set(name, mine);
    return mine;
  }

  /** When the upstream cannot be asked, what was last known counts. */
  async function recheck(key: RepositoryKey, wanted: Wanted, known: Visibility | undefined): Promise<Visibility> {
    let isPublicNow: boolean | undefined;
    try {
      isPublicNow = await anybodyMayRead(key, wanted.object === 'list' ? undefined : wanted.reference);
    } catch (error) {
      if (known !== undefined) return known;
      throw error;
    }
    if (isPublicNow === undefined) return known ?? { public: false, checkedAtMs: clock.now() };
    const visibility = { public: isPublicNow, checkedAtMs: clock.now() };
    if (known?.public === true && !isPublicNow) lessons += 1;
    await remember(observer, () => index.repositories.setVisibility(key, visibility));
    keepInMind(nameOf(key), visibility);
    return visibility;
  }

  /** `undefined` when that could not be learned: what is not there says nothing about the rest of the repository. */
  async function anybodyMayRead(key: RepositoryKey, reference: Reference | undefined): Promise<boolean | undefined> {
    const repository = key.upstream === undefined ? undefined : upstreams.find(key.upstream)?.repository(key.name);
    if (repository === undefined) return false;
    const isThere = reference === undefined ? false : await orDenied(has(repository, reference));
    if (isThere !== false) return isThere === true;
    const list = await orDenied(repository.tags({ limit: 1, last: undefined }, 'anonymous'));
    if (list === 'denied') return reference === undefined ? false : undefined;
    return list !== undefined;
  }

  function isRecent(visibility: Visibility): boolean {
    // What was checked far in the future was checked by a clock that has been put right since.
    const ageMs = Math.abs(clock.now() - visibility.checkedAtMs);
    return ageMs < (visibility.public ? recheckMs : recheckPrivateMs);
  }

  function keepInMind(name: string, visibility: Visibility): void {
    if (remembered.size >= rememberedMax) remembered.clear();
    remembered.set(name, visibility);
  }

  function nameOf(key: RepositoryKey): string {
    return `${isOpen(key) ? 'anybody' : 'we'} at ${key.upstream ?? ''}/${key.name}`;
  }

  return { mayRead, recall, mayList, isPublic, witness, doubt };
}

async function has(repository: UpstreamRepository, reference: Reference): Promise<boolean> {
  if ((await repository.resolve(reference, 'anonymous')) !== undefined) return true;
  if (!isDigestReference(reference)) return false;
  return (await repository.blobSize(reference, 'anonymous', { direct: true })) !== undefined;
}

async function orDenied<T>(asked: Promise<T>): Promise<T | 'denied'> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'UPSTREAM_DENIED') return 'denied';
    throw error;
  }
}

/** What is known already has to do while the upstream cannot be asked. */
function unlessAway(known: Visibility): (error: unknown) => Visibility {
  return (error) => {
    if (error instanceof RegistryError && error.origin === 'upstream') return known;
    throw error;
  };
}

/** The operator's rules do not let the asker do that. Logging in may change it for those who have not. */
export function forbidden(asker: Asker, action: Action, key: RepositoryKey): RegistryError {
  const who = asker.kind === 'user' ? asker.name : 'who has not logged in';
  const what = action === 'push' ? `push to ${fullName(key)}` : `${action} from ${fullName(key)}`;
  const message = `${who} may not ${what}: no rule under "access" allows it; ask the operator`;
  return new RegistryError(codeFor(asker), message, { origin: 'operator' });
}

function codeFor({ kind }: Asker): 'UNAUTHORIZED' | 'DENIED' {
  return kind === 'anonymous' ? 'UNAUTHORIZED' : 'DENIED';
}

/** The same words whether it exists or not: only those who may see it learn that. */
function hidden(asker: Asker, key: RepositoryKey): RegistryError {
  const setting = `upstreams."${key.upstream}".exposure`;
  return new RegistryError(
    codeFor(asker),
    `${key.upstream}/${key.name} is not public, and ${setting} shares what this cache's own credentials can read with authenticated users only; set it to "anyone" to share it with everybody`,
    key.upstream === undefined ? {} : { upstream: key.upstream },
  );
}
