import { atAlone } from '../access/fingerprints.ts';
import type { Fingerprints } from '../access/fingerprints.ts';
import { makeStandIn, standInSeconds } from '../access/stand-in.ts';
import type { ProofIndex } from '../index/contract.ts';
import type { Clock } from '../observe/clock.ts';

/** What somebody shows a token service. */
export type Account =
  | { readonly kind: 'nobody' }
  /** `user:password` */
  | { readonly kind: 'password'; readonly text: string }
  | { readonly kind: 'refresh'; readonly text: string };

/** What a token service gave for it. */
export interface Given {
  readonly token: string;
  readonly refreshToken: string | undefined;
  readonly expiresInSeconds: number;
}

export interface TokenDeskOptions {
  readonly fingerprints: Fingerprints;
  readonly proofs: ProofIndex;
  readonly clock: Clock;
  /** Whether the configuration, or the table of public registries, has named that upstream. */
  isNamed(upstream: string): boolean;
}

/** A token that stands for a password for months (Docker's `offline_token`). In milliseconds. */
const refreshMs = 90 * 24 * 60 * 60_000;

/** What is learned from clients' dealings with token services: which credential was granted which token, as keyed hashes. */
export class TokenDesk {
  readonly challenges: Pick<ProofIndex, 'challenge'>;
  readonly #options: TokenDeskOptions;

  constructor(options: TokenDeskOptions) {
    this.#options = options;
    this.challenges = options.proofs;
  }

  /** @param upstream whose token service it is */
  async note(account: Account, upstream: string, { token, refreshToken, expiresInSeconds }: Given): Promise<void> {
    const { fingerprints, proofs, clock } = this.#options;
    const credential = await this.#credentialOf(account, upstream);
    if (credential === undefined) return;
    const now = clock.now();
    const granted = { credential, expiresAtMs: now + expiresInSeconds * 1_000 };
    await proofs.grant(await fingerprints.of('token', this.#as(upstream, token)), granted);
    if (refreshToken === undefined) return;
    const refresh = await fingerprints.of('refresh', this.#as(upstream, refreshToken));
    await proofs.grant(refresh, { credential, expiresAtMs: now + refreshMs });
  }

  /** A token of ours while the service is away. It says who somebody is; what he may, his proofs say. */
  async standIn(account: Account, upstream: string): Promise<Given> {
    const { fingerprints, clock } = this.#options;
    const expiresAtMs = clock.now() + standInSeconds * 1_000;
    const credential = await this.#credentialOf(account, upstream);
    const token = await makeStandIn(fingerprints, { upstream, credential, expiresAtMs });
    return { token, refreshToken: undefined, expiresInSeconds: standInSeconds };
  }

  get now(): number {
    return this.#options.clock.now();
  }

  /** Whoever answers as a token service could name any token, and say whose it is and how long it lives. */
  #as(upstream: string, token: string): string {
    return this.#options.isNamed(upstream) ? token : atAlone(upstream, token);
  }

  async #credentialOf(account: Account, upstream: string): Promise<string | undefined> {
    const { fingerprints, proofs } = this.#options;
    if (account.kind === 'nobody') return undefined;
    const text = account.kind === 'refresh' ? this.#as(upstream, account.text) : account.text;
    const hash = await fingerprints.of(account.kind, text);
    return account.kind === 'password' ? hash : ((await proofs.granted(hash))?.credential ?? hash);
  }
}
