/** Who may do what, and how they prove who they are, as `config.ts` has the rest. */
import type { Action } from '../oci/repository.ts';

export interface AccessConfig {
  /** The first one that fits decides; what none fits is refused. */
  readonly rules: readonly AccessRule[];
}

export interface AccessRule {
  readonly who: readonly Who[];
  /** Those that it fits, and allows. Without any it fits them all, and refuses. */
  readonly may: readonly Action[];
  /** Globs of `upstream/repository`, and of the bare name of what is hosted. */
  readonly on: readonly string[];
}

/** Bearers, whoever they are, are meant where nothing but a token service says who may do what. `anybody` is written `anonymous`: what needs no login needs none of those who have one either. */
export type Who =
  | { readonly kind: 'anybody' }
  | { readonly kind: 'authenticated' }
  | { readonly kind: 'bearer' }
  | { readonly kind: 'user'; readonly name: string }
  | { readonly kind: 'group'; readonly name: string };

/** How users prove who they are; registry's `auth`. One way at most. */
export type AuthConfig =
  | { readonly kind: 'none' }
  | { readonly kind: 'htpasswd'; readonly path: string; readonly realm: string }
  | TokenAuthConfig;

/** A token service of somebody else's. */
export interface TokenAuthConfig {
  readonly kind: 'token';
  readonly realm: string;
  /** Our name there: the audience of its tokens. */
  readonly service: string;
  readonly issuer: string;
  /** Certificates that vouch for its keys. */
  readonly rootCertificatesPath: string | undefined;
  readonly keysPath: string | undefined;
  /** The path that the realm has at our own host, where it is there. */
  readonly redirectPath: string | undefined;
  readonly algorithms: readonly string[];
}
