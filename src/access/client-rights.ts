import { pointTag } from '../index/point-tag.ts';
import type { Index, Proof } from '../index/contract.ts';
import { remember } from '../index/remember.ts';
import type { Clock } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Descriptor } from '../oci/manifest.ts';
import { isDigestReference } from '../oci/reference.ts';
import type { Tag } from '../oci/reference.ts';
import type { Presented, RepositoryKey, Wanted } from '../oci/repository.ts';
import { fullName } from '../oci/repository.ts';
import type { ClientIdentity, UpstreamRepository, Upstreams } from '../upstream/contract.ts';
import { inNameOf } from '../upstream/relay-origin.ts';
import { Fingerprints } from './fingerprints.ts';
import type { Shown } from './fingerprints.ts';

export interface ClientRightsOptions {
  readonly index: Index;
  readonly upstreams: Upstreams;
  readonly clock: Clock;
  readonly observer: Observer;
  /** For how long a proof counts: usually, and while the upstream is away. In milliseconds. */
  windows(): { readonly proofMs: number; readonly outageMs: number };
}

/** Proofs older than this serve nobody: no window is longer. In milliseconds. */
const pruneMs = 60 * 60_000;
const rememberedMax = 10_000;

/**
 * What clients may read at an upstream with their own credentials: what it shows them itself. One HEAD with the client's
 * own token is the proof; it counts for this token and this repository, for a few minutes. While the upstream is away what
 * it said before counts longer, also for a new token of the same account.
 */
export class ClientRights {
  readonly fingerprints: Fingerprints;
  readonly #options: ClientRightsOptions;
  readonly #asking = new Map<string, Promise<void>>();
  readonly #remembered = new Map<string, Proof>();
  #prunedAtMs = 0;
  /** So far, of anybody; and which of them was a client's last in a repository. */
  #refusals = 0;
  readonly #refusedAt = new Map<string, number>();

  constructor(options: ClientRightsOptions) {
    this.#options = options;
    this.fingerprints = new Fingerprints(options.index.proofs);
  }

  /**
   * @returns in whose name the upstream is to be asked for what is not held
   * @throws RegistryError `UNAUTHORIZED`, `DENIED`, `MANIFEST_UNKNOWN`, `BLOB_UNKNOWN` when the client may not read it
   */
  async prove(presented: Presented, key: RepositoryKey, wanted: Wanted): Promise<ClientIdentity> {
    const { upstream, authorization, host } = presented;
    const shown = authorization && (await this.fingerprints.shown(authorization.reveal(), upstream));
    const identity = {
      id: shown?.subject ?? 'nobody',
      authorization: shown?.isStandIn === true ? undefined : authorization,
    };
    if (shown !== undefined && (await this.#counts(shown.subject, key, this.#options.windows().proofMs)))
      return identity;
    const question = `${identity.id} ${fullName(key)}`;
    const running = this.#asking.get(question);
    if (running !== undefined && (await running.then(() => true, isNoRefusalOf(key)))) return identity;
    await this.#ask(question, { identity, shown, host }, key, wanted);
    return identity;
  }

  /** Whether anything in that repository was ever brought in with a client's own credentials. */
  async isBrought(key: RepositoryKey): Promise<boolean> {
    return (await this.#find('', key)) !== undefined;
  }

  /** To be told before anything is fetched there in a client's name. */
  async bring(key: RepositoryKey): Promise<void> {
    if (await this.isBrought(key)) return;
    await this.#put('', key, { provedAtMs: this.#options.clock.now(), expiresAtMs: Infinity });
  }

  /**
   * Whether our own credentials have let us read there lately, or do now.
   * @throws RegistryError what kept us from finding out
   */
  async isOurs(key: RepositoryKey, wanted: Wanted, windowMs: number): Promise<boolean> {
    if (await this.#counts(ourselves, key, windowMs)) return true;
    const upstream = key.upstream === undefined ? undefined : this.#options.upstreams.find(key.upstream);
    if (upstream === undefined) return false;
    const found = await shownToUs(upstream.repository(key.name), wanted).catch((error: unknown) => {
      if (error instanceof RegistryError && error.code === 'UPSTREAM_DENIED') return undefined;
      throw error;
    });
    if (found === undefined) return false;
    await this.#put(ourselves, key, { provedAtMs: this.#options.clock.now(), expiresAtMs: Infinity });
    return true;
  }

  async #ask(question: string, client: Client, key: RepositoryKey, wanted: Wanted): Promise<void> {
    const asking = this.#prove(client, key, wanted).finally(() => this.#asking.delete(question));
    this.#asking.set(question, asking);
    await asking;
  }

  async #prove(client: Client, key: RepositoryKey, wanted: Wanted): Promise<void> {
    const { identity, shown, host } = client;
    if (wanted.object === 'list') return await this.#whileAway(client, key, unproven(key));
    const upstream = key.upstream === undefined ? undefined : this.#options.upstreams.find(key.upstream);
    const asked = { atMs: this.#options.clock.now(), refusals: this.#refusals };
    try {
      const proven = await upstream?.repository(key.name).prove(wanted.reference, wanted.object, identity);
      if (proven === undefined) throw absent(key, wanted);
      await this.#hide(key);
      if (shown?.isStandIn !== true) await this.#proved(shown, key, asked);
      const { reference } = wanted;
      if (proven.descriptor !== undefined && !isDigestReference(reference)) {
        await this.#point(key, reference, proven.descriptor);
      }
    } catch (cause) {
      if (!(cause instanceof RegistryError)) throw cause;
      const error = upstream === undefined ? cause : asAsked(cause, host, new URL(upstream.url));
      const { challenge } = error;
      if (challenge !== undefined) await this.#options.index.proofs.challenge(host, unscoped(challenge));
      // The registry is there and its token service is not: what the token stands for was shown to us.
      const isAway = error.origin === 'upstream' || (shown?.isStandIn === true && error.code === 'UNAUTHORIZED');
      if (isAway) return await this.#whileAway(client, key, error);
      if (error.code === 'UNAUTHORIZED' || error.code === 'DENIED') await this.#refused(shown, key);
      throw error;
    }
  }

  /**
   * Before anything is written down that was learned in a client's name: from then on nothing of the repository may pass
   * for what anybody could have fetched, wherever the process is killed.
   */
  async #hide(key: RepositoryKey): Promise<void> {
    const { index, clock } = this.#options;
    if ((await index.repositories.visibility(key)) !== undefined) return;
    await index.repositories.setVisibility(key, { public: false, checkedAtMs: clock.now() });
  }

  /** The answer to the proof is also the news of where the tag points: nobody has to ask for that again. */
  async #point(key: RepositoryKey, tag: Tag, descriptor: Descriptor): Promise<void> {
    const { index, clock, observer } = this.#options;
    await remember(observer, () => pointTag(index, key, tag, descriptor, clock.now()));
  }

  /** @throws the reason why the upstream could not be asked, unless it has let this account in not long ago */
  async #whileAway({ shown, host }: Client, key: RepositoryKey, reason: RegistryError): Promise<void> {
    const { clock, index } = this.#options;
    if (shown === undefined || clock.now() >= shown.expiresAtMs) {
      const challenge = (await index.proofs.challenge(host)) ?? '';
      throw reason.challenge === undefined && challenge !== '' ? unnamed(key, challenge, reason) : reason;
    }
    for (const subject of [shown.subject, shown.credential]) {
      if (subject !== undefined && (await this.#counts(subject, key, this.#options.windows().outageMs))) return;
    }
    throw reason;
  }

  async #counts(subject: string, key: RepositoryKey, windowMs: number): Promise<boolean> {
    const proof = await this.#find(subject, key);
    const now = this.#options.clock.now();
    // What was proved far in the future was proved by a clock that has been put right since.
    return proof !== undefined && Math.abs(now - proof.provedAtMs) < windowMs && now < proof.expiresAtMs;
  }

  /** However long the answer took: it says what was so when it was asked for, and nothing against what was refused since. */
  async #proved(shown: Shown | undefined, key: RepositoryKey, asked: Asked): Promise<void> {
    if (shown === undefined) return;
    const { subject, credential, expiresAtMs } = shown;
    const provedAtMs = asked.atMs;
    const isRefused = (each: string): boolean => (this.#refusedAt.get(nameOf(each, key)) ?? 0) > asked.refusals;
    if (!isRefused(subject)) await this.#put(subject, key, { provedAtMs, expiresAtMs });
    if (credential !== undefined && credential !== subject && !isRefused(credential)) {
      await this.#put(credential, key, { provedAtMs, expiresAtMs: Infinity });
    }
    await this.#prune(provedAtMs);
  }

  /** A token that has not ended says what its account may: that is over, too. */
  async #refused(shown: Shown | undefined, key: RepositoryKey): Promise<void> {
    if (shown === undefined) return;
    this.#refusals += 1;
    const never = { provedAtMs: 0, expiresAtMs: 0 };
    const isOver = this.#options.clock.now() >= shown.expiresAtMs;
    const subjects = isOver ? [shown.subject] : [shown.subject, shown.credential];
    for (const subject of subjects.filter((each) => each !== undefined)) {
      if (this.#refusedAt.size >= rememberedMax) this.#refusedAt.clear();
      this.#refusedAt.set(nameOf(subject, key), this.#refusals);
      if ((await this.#find(subject, key)) !== undefined) await this.#put(subject, key, never);
    }
  }

  async #find(subject: string, key: RepositoryKey): Promise<Proof | undefined> {
    const name = nameOf(subject, key);
    const found = this.#remembered.get(name) ?? (await this.#options.index.proofs.find(subject, key));
    if (found !== undefined) this.#keepInMind(name, found);
    return found;
  }

  async #put(subject: string, key: RepositoryKey, proof: Proof): Promise<void> {
    this.#remembered.delete(nameOf(subject, key));
    await this.#options.index.proofs.put(subject, key, proof);
    this.#keepInMind(nameOf(subject, key), proof);
  }

  #keepInMind(name: string, proof: Proof): void {
    if (this.#remembered.size >= rememberedMax) this.#remembered.clear();
    this.#remembered.set(name, proof);
  }

  async #prune(nowMs: number): Promise<void> {
    if (Math.abs(nowMs - this.#prunedAtMs) < pruneMs) return;
    this.#prunedAtMs = nowMs;
    const { proofMs, outageMs } = this.#options.windows();
    await this.#options.index.proofs.prune(nowMs - Math.max(proofMs, outageMs), nowMs);
  }
}

function nameOf(subject: string, key: RepositoryKey): string {
  return `${subject} ${fullName(key)}`;
}

/** No hash is this. */
const ourselves = 'own';

/** When, and after how many refusals. */
interface Asked {
  readonly atMs: number;
  readonly refusals: number;
}

interface Client {
  readonly identity: ClientIdentity;
  readonly shown: Shown | undefined;
  readonly host: string;
}

/** Something, when our own credentials are shown it. */
async function shownToUs(repository: UpstreamRepository, wanted: Wanted): Promise<unknown> {
  if (wanted.object === 'list') return await repository.tags({ limit: 1, last: undefined }, 'own');
  if (wanted.object === 'blob') return await repository.blobSize(wanted.reference, 'own', { direct: true });
  return await repository.resolve(wanted.reference, 'own', { direct: true });
}

/** A token service that is where the registry is, is where the client believes that to be. */
function asAsked(error: RegistryError, host: string, origin: URL): RegistryError {
  const { code, message, challenge, upstream, upstreamStatus } = error;
  if (challenge === undefined || upstream === undefined || upstreamStatus === undefined) return error;
  const options = { origin: 'client', upstream, upstreamStatus, cause: error } as const;
  return new RegistryError(code, message, { ...options, challenge: inNameOf(host, challenge, origin) });
}

/**
 * That he is refused holds for whatever somebody asks for there at the same time. That something is not there, or cannot be
 * asked for, he finds out for himself.
 * @throws RegistryError the refusal
 */
function isNoRefusalOf(key: RepositoryKey): (error: unknown) => false {
  return (error) => {
    if (!(error instanceof RegistryError) || (error.code !== 'UNAUTHORIZED' && error.code !== 'DENIED')) return false;
    const { code, upstream = '', challenge } = error;
    // Somebody else's question is not to be read in it: all who show nothing are one to us.
    const message = `${fullName(key)} is not for you to read; log in to ${upstream}, or ask its owner`;
    const asked = challenge === undefined ? {} : { challenge };
    throw new RegistryError(code, message, { origin: 'client', upstream, cause: error, ...asked });
  };
}

/** What of a challenge is the same for every repository. */
function unscoped(challenge: string): string {
  return challenge.replaceAll(/,\s*(?:scope|error|error_description)="[^"]*"/gi, '');
}

/** Who has shown nothing may still be somebody whom the registry let in before it went away. */
function unnamed(key: RepositoryKey, challenge: string, cause: RegistryError): RegistryError {
  const message = `${fullName(key)} cannot be asked for now; who was let in before has to log in`;
  const scope = /^bearer\s/i.test(challenge) ? `,scope="repository:${key.name}:pull"` : '';
  const options = { origin: 'client', challenge: challenge + scope, cause } as const;
  return new RegistryError('UNAUTHORIZED', message, { ...options, upstream: key.upstream ?? '' });
}

function absent({ name }: RepositoryKey, { object }: Wanted): RegistryError {
  const code = object === 'blob' ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN';
  return new RegistryError(code, `the upstream has no such ${object} in ${name}`);
}

function unproven(key: RepositoryKey): RegistryError {
  const message = `${fullName(key)} cannot be asked whether you may read it; try again later`;
  return new RegistryError('UPSTREAM_UNREACHABLE', message, { upstream: key.upstream ?? '' });
}
