import { hash } from 'node:crypto';
import type { AuthFiles } from '../config/auth-files.ts';
import type { AuthConfig } from '../config/config.ts';
import type { Clock } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import type { Action, Asker } from '../oci/repository.ts';
import { parseAuthorization } from './authorization-header.ts';
import type { Brought } from './authorization-header.ts';
import { createForeignTokens } from './foreign-tokens.ts';
import { createOwnTokens, tokenSeconds } from './own-tokens.ts';
import type { Bearer, OwnTokens } from './own-tokens.ts';
import { createPasswords } from './passwords.ts';
import { allowedOf, grantsOf, parseScopes } from './scopes.ts';
import type { NamesOf, Scope } from './scopes.ts';

export interface LoginsOptions {
  readonly clock: Clock;
  readonly observer: Observer;
  /** In force now, as everything here that is asked for. */
  readonly auth: () => AuthConfig;
  readonly files: () => AuthFiles;
  readonly may: (asker: Asker, action: Action, repository: string) => boolean;
  readonly namesOf: NamesOf;
  readonly compare: (password: string, hash: string) => Promise<boolean>;
  /** Of our own tokens. */
  readonly tokenKey: Uint8Array;
}

/** What a request has to show for itself. */
export interface Proof {
  readonly authorization: string | undefined;
  readonly clientAddress: string;
  /** Whom a verified certificate of the connection names. */
  readonly certificate: { readonly name: string; readonly groups: readonly string[] } | undefined;
}

/** Who somebody is. */
export interface Logins {
  /** Without any way to log in, whatever is brought is ignored: it was meant for somebody else. */
  identify(proof: Proof): Promise<Asker>;
  readonly service: TokenService;
}

/** Gives users tokens for their passwords, and anybody tokens for what anybody may do. */
export interface TokenService {
  /** There is something to log in with here. */
  readonly isOpen: boolean;
  /** `undefined` when what was brought is not believed. */
  issue(brought: Brought, wanted: Wanted): Promise<Issued | undefined>;
  issueFor(refreshToken: string, wanted: Wanted): Promise<Issued | undefined>;
}

export interface Wanted {
  readonly scopes: readonly string[];
  /** A token to stand for the password from now on, too. */
  readonly refresh: boolean;
  readonly clientAddress: string;
}

export interface Issued {
  /** Empty for whoever did not log in. */
  readonly user: string;
  readonly token: string;
  readonly scopes: readonly Scope[];
  readonly issuedAtMs: number;
  readonly expiresInSeconds: number;
  readonly refreshToken: string | undefined;
}

const anonymous = { kind: 'anonymous' } as const satisfies Asker;

export function createLogins(options: LoginsOptions): Logins {
  const { auth, files, namesOf, clock } = options;
  const users = (): AuthFiles['users'] => files().users;
  const passwords = createPasswords({ ...options, users });
  const own = createOwnTokens(options.tokenKey, clock, (user) => users()?.get(user));
  const readers = new WeakMap<AuthFiles, ReadToken>();

  /** What was believed under other keys is read again. */
  function readToken(token: string): Promise<Bearer | undefined> {
    const read = readers.get(files()) ?? remembering(clock, readerOf(auth(), files()));
    readers.set(files(), read);
    return read(token);
  }

  function readerOf(config: AuthConfig, of: AuthFiles): ReadToken {
    return config.kind === 'token' ? createForeignTokens(config, of, clock) : (token) => own.read(token);
  }

  async function identify({ authorization, clientAddress, certificate }: Proof): Promise<Asker> {
    const brought: Brought = auth().kind === 'none' ? { kind: 'nothing' } : parseAuthorization(authorization);
    switch (brought.kind) {
      case 'nothing':
        return certificate === undefined ? anonymous : { kind: 'user', ...certificate };
      case 'password':
        if (await isRight(brought, clientAddress)) return { kind: 'user', name: brought.user, groups: [] };
        return refused('the user or the password is wrong');
      case 'token':
        return bearerOf(await readToken(brought.token)) ?? refused('the token is not valid, or not valid any more');
      case 'nonsense':
        return refused('the Authorization header cannot be understood');
    }
  }

  async function isRight({ user, password }: Brought & { kind: 'password' }, address: string): Promise<boolean> {
    return auth().kind === 'htpasswd' && (await passwords.verify(user, password, address));
  }

  function bearerOf(bearer: Bearer | undefined): Asker | undefined {
    if (bearer === undefined) return undefined;
    const { user, groups, scopes } = bearer;
    const grants = grantsOf(scopes, namesOf);
    return user === '' ? { ...anonymous, grants } : { kind: 'user', name: user, groups, grants };
  }

  return { identify, service: createTokenService(options, own, isRight) };
}

function createTokenService(
  { auth, may, namesOf, clock }: LoginsOptions,
  own: OwnTokens,
  isRight: (brought: Brought & { kind: 'password' }, address: string) => Promise<boolean>,
): TokenService {
  async function make(user: string, wanted: Wanted): Promise<Issued> {
    const asker: Asker = user === '' ? anonymous : { kind: 'user', name: user, groups: [] };
    const scopes = allowedOf(parseScopes(wanted.scopes), namesOf, (...what) => may(asker, ...what));
    return {
      user,
      token: await own.issue(user, scopes),
      scopes,
      issuedAtMs: clock.now(),
      expiresInSeconds: tokenSeconds,
      refreshToken: wanted.refresh && user !== '' ? await own.issueRefresh(user) : undefined,
    };
  }

  return {
    get isOpen(): boolean {
      return auth().kind === 'htpasswd';
    },
    async issue(brought, wanted) {
      if (brought.kind === 'nothing') return make('', wanted);
      if (brought.kind !== 'password' || !(await isRight(brought, wanted.clientAddress))) return undefined;
      return make(brought.user, wanted);
    },
    async issueFor(refreshToken, wanted) {
      const user = await own.readRefresh(refreshToken);
      return user === undefined ? undefined : make(user, wanted);
    },
  };
}

function refused(why: string): Asker {
  return { kind: 'anonymous', refused: why };
}

type ReadToken = (token: string) => Promise<Bearer | undefined>;

const rememberedMax = 10_000;

/** A token is sent with every request of a pull; what it says is worked out once. Its text is not kept. */
function remembering(clock: Clock, read: ReadToken): ReadToken {
  const known = new Map<string, Bearer>();
  return async (token) => {
    const key = hash('sha256', token);
    const before = known.get(key);
    if (before !== undefined && clock.now() < before.expiresAtMs) return before;
    known.delete(key);
    const bearer = await read(token);
    const oldest = known.size >= rememberedMax ? known.keys().next().value : undefined;
    if (oldest !== undefined) known.delete(oldest);
    if (bearer !== undefined) known.set(key, bearer);
    return bearer;
  };
}
