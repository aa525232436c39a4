/**
 * How the upstream lets people in: nobody asks, Basic, or Bearer with a token service as the public registries have it.
 */
import { randomUUID } from 'node:crypto';
import type { Entry } from './upstream-ledger.ts';
import { jsonReply, refusal } from './upstream-reply.ts';
import type { Exchange, Reply } from './upstream-reply.ts';

export interface AuthOptions {
  readonly kind: 'basic' | 'bearer';
  /** Passwords by user name. */
  readonly users?: Readonly<Record<string, string>>;
  /** Whether those without an account may read what is not private. Default: yes with `bearer`, no with `basic`. */
  readonly anonymous?: boolean;
  /** Repositories (and all below them) that only users may read. */
  readonly private?: readonly string[];
  /** Narrows what a user may read among the private repositories; without an entry: all of them. */
  readonly grants?: Readonly<Record<string, readonly string[]>>;
  /** How long a token lives. Default 300. */
  readonly tokenSeconds?: number;
  /** Whether tokens say of themselves when they end, as Docker Hub's do. Default `opaque`. */
  readonly tokens?: 'opaque' | 'jwt';
  /** Whether the token service takes POST; many answer 404. Default true. */
  readonly post?: boolean;
  /** Where the token service is: at the registry's own origin, or at another. Default `own`. */
  readonly realm?: 'own' | 'other';
}

interface Token {
  readonly user: string | undefined;
  readonly repositories: readonly string[];
  readonly expiresAt: number;
}

const SERVICE = 'registry.test';

export class Gatekeeper {
  readonly #options: AuthOptions | undefined;
  readonly #now: () => number;
  readonly #realm: () => string;
  readonly #passwords: Map<string, string>;
  readonly #grants: Map<string, readonly string[]>;
  #private: readonly string[];
  #tokens = new Map<string, Token>();

  /** @param now milliseconds since the epoch, by which tokens expire */
  constructor(options: AuthOptions | undefined, now: () => number, realm: () => string) {
    this.#options = options;
    this.#now = now;
    this.#realm = realm;
    this.#passwords = new Map(Object.entries(options?.users ?? {}));
    this.#grants = new Map(Object.entries(options?.grants ?? {}));
    this.#private = options?.private ?? [];
  }

  /** From now on this is the user's password; `undefined` closes the account. Tokens already out stay good. */
  setPassword(user: string, password: string | undefined): void {
    if (password === undefined) this.#passwords.delete(user);
    else this.#passwords.set(user, password);
  }

  /** From now on these repositories (and all below them) are private, and no others. */
  setPrivate(repositories: readonly string[]): void {
    this.#private = repositories;
  }

  /** From now on the user may read these of the private repositories. Tokens already out stay good. */
  setGrants(user: string, repositories: readonly string[]): void {
    this.#grants.set(user, repositories);
  }

  /** Every token handed out so far (to one user) is refused from now on, whatever life it had left. */
  revokeTokens(user?: string): void {
    const isKept = (token: Token): boolean => user !== undefined && token.user !== user;
    this.#tokens = new Map([...this.#tokens].filter(([, token]) => isKept(token)));
  }

  /** The refusal for a request to the registry, or `undefined` if it may pass. Without a repository: the ping. */
  refuse(entry: Entry, repository: string | undefined): Reply | undefined {
    if (!this.#options) return undefined;
    const allowed =
      this.#options.kind === 'basic' ? this.#basicAllows(entry, repository) : this.#tokenAllows(entry, repository);
    return allowed
      ? undefined
      : refusal(401, 'UNAUTHORIZED', { 'www-authenticate': this.#challenge(entry, repository) });
  }

  /** The answer of the token service. */
  token({ url, entry, request }: Exchange): Reply {
    if (this.#options?.kind !== 'bearer') return refusal(404, 'NOT_FOUND');
    const posted = request.method === 'POST';
    if (posted && this.#options.post === false) return refusal(404, 'NOT_FOUND');
    const form = posted ? new URLSearchParams(entry.body) : url.searchParams;
    const claimed = posted ? { user: form.get('username'), password: form.get('password') } : basicCredentials(entry);
    const user = claimed?.user ?? undefined;
    if (user !== undefined && this.#passwords.get(user) !== claimed?.password) return refusal(401, 'UNAUTHORIZED');
    const asked = form.getAll('scope').flatMap((scope) => scope.split(' '));
    const repositories = asked.map((scope) => /^repository:([^:]+):[^:]*pull/.exec(scope)?.[1] ?? '').filter(Boolean);
    return this.#issue(
      user,
      repositories.filter((repository) => this.#mayRead(user, repository)),
    );
  }

  #issue(user: string | undefined, repositories: readonly string[]): Reply {
    const seconds = this.#options?.tokenSeconds ?? 300;
    const expiresAt = this.#now() + seconds * 1000;
    const token = this.#options?.tokens === 'jwt' ? jwtUntil(expiresAt) : `token-${randomUUID()}`;
    this.#tokens.set(token, { user, repositories, expiresAt });
    const issued = new Date(this.#now()).toISOString();
    return jsonReply(200, { token, access_token: token, expires_in: seconds, issued_at: issued });
  }

  #tokenAllows(entry: Entry, repository: string | undefined): boolean {
    const token = this.#tokens.get(/^bearer (.+)$/i.exec(entry.headers.authorization ?? '')?.[1] ?? '');
    if (!token || token.expiresAt <= this.#now()) return false;
    return repository === undefined || token.repositories.includes(repository);
  }

  #basicAllows(entry: Entry, repository: string | undefined): boolean {
    const claimed = basicCredentials(entry);
    if (claimed && this.#passwords.get(claimed.user) !== claimed.password) return false;
    return repository === undefined
      ? claimed !== undefined || this.#anonymous
      : this.#mayRead(claimed?.user, repository);
  }

  #mayRead(user: string | undefined, repository: string): boolean {
    const isPrivate = this.#private.some((prefix) => covers(prefix, repository));
    if (!isPrivate) return user !== undefined || this.#anonymous;
    const grants = this.#grants.get(user ?? '');
    return user !== undefined && (grants?.some((prefix) => covers(prefix, repository)) ?? true);
  }

  get #anonymous(): boolean {
    return this.#options?.anonymous ?? this.#options?.kind === 'bearer';
  }

  #challenge(entry: Entry, repository: string | undefined): string {
    if (this.#options?.kind === 'basic') return `Basic realm="${SERVICE}"`;
    const scope = repository === undefined ? '' : `,scope="repository:${repository}:pull"`;
    const error = entry.authorization === 'bearer' ? ',error="invalid_token"' : '';
    return `Bearer realm="${this.#realm()}",service="${SERVICE}"${scope}${error}`;
  }
}

/** Only the registry itself could check the signature, and it knows its tokens by heart. */
export function jwtUntil(expiresAtMs: number): string {
  const claims = { jti: randomUUID(), exp: Math.floor(expiresAtMs / 1000) };
  const parts = [{ alg: 'RS256', typ: 'JWT' }, claims].map((part) => Buffer.from(JSON.stringify(part)));
  return [...parts, Buffer.from(randomUUID())].map((part) => part.toString('base64url')).join('.');
}

function covers(prefix: string, repository: string): boolean {
  return repository === prefix || repository.startsWith(`${prefix}/`);
}

function basicCredentials(entry: Entry): { readonly user: string; readonly password: string } | undefined {
  const encoded = /^basic (.+)$/i.exec(entry.headers.authorization ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const [user = '', ...password] = Buffer.from(encoded, 'base64').toString().split(':');
  return { user, password: password.join(':') };
}
