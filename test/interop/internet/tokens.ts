import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Site } from './sites.ts';

const lifetimeSeconds = 300;
const users: Readonly<Record<string, string>> = { alice: 'secret', bob: 'bobs-secret', carol: 'carols-secret' };

/** The token services of all registries: who was granted what. */
export class Tokens {
  readonly #granted = new Map<string, ReadonlySet<string>>();
  readonly #readers = new Set(['alice', 'carol']);

  /** From now on this user may read nothing that is private, also with tokens that are out. */
  revoke(user: string): void {
    this.#readers.delete(user);
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
    this.#granted.set(token, new Set(asked.filter((scope) => this.#mayHave(scope, user))));
    respondJson(response, 200, {
      token,
      access_token: token,
      expires_in: lifetimeSeconds,
      issued_at: new Date().toISOString(),
    });
  }

  #mayHave(scope: string, user = ''): boolean {
    return this.#readers.has(user) || !scope.startsWith('repository:private/');
  }

  /** Whether a request may pull from a repository; `undefined`: the ping, which any valid token opens. */
  allows(authorization: string | undefined, repository: string | undefined): boolean {
    const [, token] = /^Bearer (.+)$/i.exec(authorization ?? '') ?? [];
    const scopes = token === undefined ? undefined : this.#granted.get(token);
    if (scopes === undefined) return false;
    if (repository === undefined) return true;
    return [...scopes].some((scope) => {
      const [type, name, actions] = scope.split(':');
      return type === 'repository' && name === repository && actions?.split(',').includes('pull') === true;
    });
  }
}

/** The 401 that sends a client to the token service. */
export function challenge(site: Site, response: ServerResponse, repository: string | undefined): void {
  const scope = repository === undefined ? '' : `,scope="repository:${repository}:pull"`;
  const { realm, service } = site.challenge ?? { realm: '', service: '' };
  respondJson(
    response,
    401,
    { errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] },
    { 'www-authenticate': `Bearer realm="${realm}",service="${service}"${scope}` },
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
