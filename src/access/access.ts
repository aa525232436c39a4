import type { Visibility } from '../index/contract.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { fullName } from '../oci/repository.ts';
import type { Action, Asker, Presented, RepositoryKey, Wanted } from '../oci/repository.ts';
import type { Identity } from '../upstream/contract.ts';
import type { ClientRights } from './client-rights.ts';
import { recheckMs, Visibilities } from './visibilities.ts';
import type { VisibilitiesOptions } from './visibilities.ts';

export interface AccessOptions extends VisibilitiesOptions {
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
   * @param isNew it was not held, and has just come: that the repository was public a while ago says little of it
   * @returns as whom the upstream is to be asked for what is not held
   * @throws RegistryError `DENIED`, `UNAUTHORIZED` when the asker may not read it; what kept us from finding out
   */
  mayRead(asker: Asker, key: RepositoryKey, wanted: Wanted, isNew?: boolean): Promise<Identity>;
  /**
   * The same for the next ones who ask, without waiting: as long as the index is as it is, and the configuration. False
   * where that does not say; `undefined` where too little is known.
   */
  recall(key: RepositoryKey): ((asker: Asker) => boolean) | undefined;
  /**
   * The same for showing that it is there. Asks no upstream: what was public when it was last looked at is shown, and what is
   * not known to be readable is not.
   */
  mayList(asker: Asker, key: RepositoryKey): Promise<boolean>;
  /** The same for taking a blob over from there. Asks the upstream where it was public when last looked at, long ago. */
  mayMount(asker: Asker, key: RepositoryKey, digest: Digest): Promise<boolean>;
  /** Whether anybody may read the blob upstream in one of these repositories. Asks, where that was found out long ago. */
  isPublic(digest: Digest, keys: readonly RepositoryKey[]): Promise<boolean>;
  /**
   * To be told before content that the upstream has just given us comes to be held.
   * @param manifest where it is one; without it, no upstream is asked
   * @returns false where it is not to be held: what was public once cannot be asked about now
   */
  witness(key: RepositoryKey, identity?: Identity, manifest?: Digest): Promise<boolean>;
  /** To be told when the upstream refuses what it was said to show to anybody. False when nothing is new in that. */
  doubt(key: RepositoryKey): Promise<boolean>;
}

/** What an anonymous request may read upstream is public and shared by all; the rest is the matter of `exposure`. */
export function createAccess(options: AccessOptions): Access {
  const { upstreams, rights } = options;
  const visibilities = new Visibilities(options);

  async function mayRead(asker: Asker, key: RepositoryKey, wanted: Wanted, isNew = false): Promise<Identity> {
    if (!options.may(asker, 'pull', fullName(key))) throw forbidden(asker, 'pull', key);
    if (key.upstream === undefined) return 'own';
    if (asker.kind !== 'operator') {
      if (asker.presents !== undefined) return await mayReadThere(asker, asker.presents, [key, wanted, isNew]);
      const known = await visibilities.find(key);
      if (known?.public === true && visibilities.isRecent(key, known, isNew)) return 'own';
      if (!(await isTrusted(asker, key, wanted))) {
        const isKnown = known !== undefined && visibilities.isRecent(key, known, isNew);
        const now = isKnown ? known : await visibilities.recheck(key, wanted, known, isNew);
        if (!now.public) throw hidden(asker, key);
        return 'own';
      }
    }
    // He may have it whatever comes of this; others may not have what he has brought in, because of an old answer.
    if (isNew) await visibilities.confirm(key, wanted);
    return 'own';
  }

  function recall(key: RepositoryKey): ((asker: Asker) => boolean) | undefined {
    const name = fullName(key);
    const isStillPublic = visibilities.recall(key);
    if (isStillPublic === undefined) return undefined;
    return (asker) => isStillPublic() && asker.kind !== 'operator' && options.may(asker, 'pull', name);
  }

  /** For one who believes to talk to the upstream itself: whatever is not public he sees as it shows it to him. */
  async function mayReadThere(
    asker: Asker,
    presents: Presented,
    [key, wanted, isNew]: readonly [RepositoryKey, Wanted, boolean],
  ): Promise<Identity> {
    const known = await visibilities.keptOf(key);
    const isKnown = known !== undefined && visibilities.isRecent(key, known, isNew);
    const away: Visibility = { public: false, checkedAtMs: 0 };
    const now = isKnown ? known : await visibilities.recheck(key, wanted, known, isNew).catch(unlessAway(away));
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
    return await mayBeShown(asker, key, async () => (await visibilities.find(key))?.public === true);
  }

  async function mayMount(asker: Asker, key: RepositoryKey, digest: Digest): Promise<boolean> {
    return await mayBeShown(asker, key, () => visibilities.isPublic(digest, [key]));
  }

  async function mayBeShown(asker: Asker, key: RepositoryKey, isPublic: () => Promise<boolean>): Promise<boolean> {
    if (!options.may(asker, 'pull', fullName(key))) return false;
    if (asker.kind === 'operator' || key.upstream === undefined) return true;
    if (upstreams.find(key.upstream) === undefined) return false;
    return (isExposed(asker, key.upstream) && !(await rights.isBrought(key))) || isPublic();
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

  return {
    mayRead,
    recall,
    mayList,
    mayMount,
    isPublic: (...question) => visibilities.isPublic(...question),
    witness: (...content) => visibilities.witness(...content),
    doubt: (key) => visibilities.doubt(key),
  };
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
    `${fullName(key)} is not there, or it is not public: check the name; who may read what only this cache's own credentials can, ${setting} says ("anyone": everybody)`,
    key.upstream === undefined ? {} : { upstream: key.upstream },
  );
}
