import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Site } from './sites.ts';

const lifetimeSeconds = 300;
const users: Readonly<Record<string, string>> = { alice: 'secret', bob: 'bobs-secret', carol: 'carols-secret' };

export type Action = 'pull' | 'push';

/** The token services of all registries: who was granted what. */
export class Tokens {
  readonly #granted = new Map<string, ReadonlySet<string>>();
  readonly #readers = new Set(['alice', 'carol']);
  readonly #writers = new Set(['alice']);

  /** From now on this user may read nothing that is private, also with tokens that are out. */
  revoke(user: string): void {
    this.#readers.delete(user);
    this.#writers.delete(user);
    this.#granted.clear();
  }

  /** Answers a request for a token: GET with an optional Basic header, or POST with a form where the site knows it. */
  async issue(site: Site, request: IncomingMessage, response: ServerResponse, query: string): Promise<void> {
    if (request.method === 'POST' && site.tokens?.post !== true) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('no such page');
      return;
    }
    const form = new URLSearchParams(request.method === 'POST' ? await text(request) : query);
    const user = request.method === 'POST' ? userOfForm(form) : userOfHeader(request.headers.authorization);
    if (user === 'wrong') {
      respondJson(response, 401, { details: 'incorrect username or password' });
      return;
    }
    const asked = form.getAll('scope').flatMap((scope) => scope.split(' '));
    const token = randomUUID();
    this.#granted.set(token, new Set(asked.map((scope) => this.#granting(scope, user))));
    respondJson(response, 200, {
      token,
      access_token: token,
      expires_in: lifetimeSeconds,
      issued_at: new Date().toISOString(),
    });
  }

  /** The scope, without the actions that the user has no right to. */
  #granting(scope: string, user = ''): string {
    const [type = '', name = '', actions = ''] = scope.split(':');
    const may: Readonly<Record<string, boolean>> = {
      pull: this.#readers.has(user) || !name.startsWith('private/'),
      push: this.#writers.has(user),
    };
    const granted = actions.split(',').filter((action) => may[action] === true);
    return [type, name, granted.join(',')].join(':');
  }

  /** What is wrong with the token of a request that is refused. */
  wrongWith(authorization: string | undefined): Refused['error'] {
    if (authorization === undefined) return undefined;
    return this.#scopesOf(authorization) === undefined ? 'invalid_token' : 'insufficient_scope';
  }

  /** Whether a request may do that in a repository; `undefined`: the ping, which any valid token opens. */
  allows(authorization: string | undefined, repository: string | undefined, action: Action): boolean {
    const scopes = this.#scopesOf(authorization);
    if (scopes === undefined) return false;
    if (repository === undefined) return true;
    return [...scopes].some((scope) => {
      const [type, name, actions] = scope.split(':');
      return type === 'repository' && name === repository && actions?.split(',').includes(action) === true;
    });
  }

  #scopesOf(authorization: string | undefined): ReadonlySet<string> | undefined {
    const [, token] = /^Bearer (.+)$/i.exec(authorization ?? '') ?? [];
    return token === undefined ? undefined : this.#granted.get(token);
  }
}

/** What a request asked for and may not have. */
export interface Refused {
  readonly repository: string | undefined;
  readonly action: Action;
  /** What is wrong with the token that it came with; RFC 6750, 3.1. */
  readonly error: 'invalid_token' | 'insufficient_scope' | undefined;
}

/** The 401 that sends a client to the token service; as Docker Hub puts it, whose detail keeps dockerd from trying again. */
export function challenge(site: Site, response: ServerResponse, { repository, action, error }: Refused): void {
  const actions = action === 'push' ? 'pull,push' : 'pull';
  const scope = repository === undefined ? '' : `,scope="repository:${repository}:${actions}"`;
  const wrong = error === undefined ? '' : `,error="${error}"`;
  const { realm, service } = site.challenge ?? { realm: '', service: '' };
  const detail = [{ Type: 'repository', Class: '', Name: repository, Action: action }];
  respondJson(
    response,
    401,
    { errors: [{ code: 'UNAUTHORIZED', message: 'authentication required', detail }] },
    { 'www-authenticate': `Bearer realm="${realm}",service="${service}"${scope}${wrong}` },
  );
}

export function respondJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): void {
  const body = Buffer.from(JSON.stringify(value));
  response
    .writeHead(status, { 'content-type': 'application/json', 'content-length': body.length, ...headers })
    .end(body);
}

function userOfForm(form: URLSearchParams): string | undefined {
  return form.get('grant_type') === 'password' ? known(form.get('username'), form.get('password')) : undefined;
}

function userOfHeader(authorization: string | undefined): string | undefined {
  const [, encoded] = /^Basic (.+)$/i.exec(authorization ?? '') ?? [];
  if (encoded === undefined) return undefined;
  const [name = '', ...password] = Buffer.from(encoded, 'base64').toString().split(':');
  return known(name, password.join(':'));
}

function known(name: string | null, password: string | null): string {
  return name !== null && password !== null && users[name] === password ? name : 'wrong';
}
