import type { RepositoryKey } from '../oci/repository.ts';

/**
 * What clients have proved with their own credentials, and to whom it was said. Subjects, tokens and credentials are keyed
 * hashes: nothing here tells a secret to whoever does not have it already. What is lost is proved again.
 */
export interface ProofIndex {
  /** Of the hashes: random, made once. */
  key(): Promise<Uint8Array>;
  /** That a subject may read a repository. The empty subject says that anybody ever brought something there. */
  find(subject: string, repository: RepositoryKey): Promise<Proof | undefined>;
  put(subject: string, repository: RepositoryKey, proof: Proof): Promise<void>;
  /** A token service gave a token to whoever showed that credential. */
  grant(token: string, grant: Grant): Promise<void>;
  granted(token: string): Promise<Grant | undefined>;
  /** Forgets proofs from before one time, and tokens that ended before another. */
  prune(proofsBeforeMs: number, grantsBeforeMs: number): Promise<void>;
  /** How a registry last asked clients who they are (RFC 9110, 11.6.1); `now` is how it asks from now on. */
  challenge(host: string, now?: string): Promise<string | undefined>;
}

export interface Proof {
  readonly provedAtMs: number;
  /** When what was shown ends by itself; `Infinity` for never. */
  readonly expiresAtMs: number;
}

export interface Grant {
  readonly credential: string;
  readonly expiresAtMs: number;
}
