import { parseAuthorization, passwordOf } from '../access/authorization-header.ts';
import type { Brought } from '../access/authorization-header.ts';
import { tokenPaths } from '../access/challenge.ts';
import type { Issued, TokenService, Wanted } from '../access/logins.ts';
import { parseScopes } from '../access/scopes.ts';
import type { Handler, Reply, Request } from '../http/message.ts';
import { RegistryError } from '../oci/errors.ts';
import { failureReply } from './failure.ts';
import { jsonReply } from './json.ts';

export interface TokenServiceOptions {
  readonly service: TokenService;
  /** How to log in with a password, as a challenge; `undefined` where nobody can. */
  readonly realm: () => string;
  /** There is nothing at all for those who have not logged in. */
  readonly isClosed: () => boolean;
  /** What stands before every path: empty, or `/registry`. */
  readonly prefix: () => string;
}

/** In bytes. */
const formMax = 64 * 1024;
const formType = /^application\/x-www-form-urlencoded(?:;|$)/i;

/** The token service, in front of everything else: it answers where it is, while there is something to log in with. */
export function withTokenService(options: TokenServiceOptions, rest: Handler): Handler {
  const serve = async (request: Request): Promise<Reply> => {
    try {
      const issued = await issue(options, request);
      request.notes.user = issued.user || undefined;
      return tokenReply(issued);
    } catch (error) {
      return failureReply(error, request, { label: undefined, allow: 'GET, POST', challenge: challengeOf(options) });
    }
  };
  return (request) =>
    options.service.isOpen && request.via === undefined && isToService(options, request)
      ? serve(request)
      : rest(request);
}

function isToService({ prefix }: TokenServiceOptions, { url }: Request): boolean {
  return tokenPaths.some((path) => url === prefix() + path || url.startsWith(`${prefix()}${path}?`));
}

async function issue(options: TokenServiceOptions, request: Request): Promise<Issued> {
  if (request.method === 'GET') return byGet(options, request);
  if (request.method === 'POST') return byPost(options, request);
  throw new RegistryError('UNSUPPORTED', 'a token is asked for with GET or POST');
}

/** Docker's token specification, "Requesting a Token". */
async function byGet({ service, isClosed }: TokenServiceOptions, request: Request): Promise<Issued> {
  const query = new URL(request.url, 'http://us').searchParams;
  const refresh = query.get('offline_token') === 'true';
  const wanted = { scopes: query.getAll('scope'), refresh, clientAddress: request.clientAddress };
  const brought = parseAuthorization(request.headers['authorization']);
  if (brought.kind === 'nothing' && (isClosed() || refresh)) throw wrong('a token needs a login here');
  const issued = await service.issue(brought, wanted);
  if (issued !== undefined) return issued;
  // dockerd sends a mirror what it has for Docker Hub. What anybody may pull, whoever mistypes may pull, too.
  const byAnybody = refresh || isClosed() ? undefined : await service.issue({ kind: 'nothing' }, wanted);
  if (byAnybody !== undefined && isAllWanted(byAnybody, wanted)) return byAnybody;
  throw wrong('the user or the password is wrong');
}

function isAllWanted({ scopes }: Issued, wanted: Wanted): boolean {
  const asked = parseScopes(wanted.scopes);
  const count = (all: readonly { readonly actions: readonly string[] }[]): number =>
    all.reduce((sum, { actions }) => sum + actions.length, 0);
  return asked.length > 0 && count(asked) === count(scopes);
}

/** Docker's token specification, "Authenticating with OAuth2". */
async function byPost({ service }: TokenServiceOptions, request: Request): Promise<Issued> {
  if (!formType.test(request.headers['content-type'] ?? '')) throw malformed('a form is sent with POST');
  const bytes = await request.body.whole(formMax);
  if (bytes === undefined) throw new RegistryError('TOO_LARGE', `a form has at most ${formMax} bytes`);
  const form = new URLSearchParams(Buffer.from(bytes).toString('utf8'));
  const refresh = form.get('access_type') === 'offline';
  const wanted = { scopes: form.getAll('scope'), refresh, clientAddress: request.clientAddress };
  const issued = await issueFor(service, form, wanted);
  if (issued === undefined) throw wrong('the user or the password is wrong, or the login is not valid any more');
  return issued;
}

async function issueFor(service: TokenService, form: URLSearchParams, wanted: Wanted): Promise<Issued | undefined> {
  switch (form.get('grant_type')) {
    case 'password': {
      const brought: Brought = passwordOf(form.get('username') ?? '', form.get('password') ?? '');
      return service.issue(brought, wanted);
    }
    case 'refresh_token': {
      const refreshToken = form.get('refresh_token') ?? '';
      const issued = await service.issueFor(refreshToken, wanted);
      return issued && { ...issued, refreshToken };
    }
    default:
      throw malformed('grant_type is "password" or "refresh_token"');
  }
}

function tokenReply({ token, scopes, issuedAtMs, expiresInSeconds, refreshToken }: Issued): Reply {
  const body = {
    token,
    access_token: token,
    expires_in: expiresInSeconds,
    issued_at: new Date(issuedAtMs).toISOString(),
    scope: scopes.map(({ type, name, actions }) => `${type}:${name}:${actions.join(',')}`).join(' '),
    ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
  };
  return jsonReply(body, { 'Cache-Control': 'no-store' });
}

function challengeOf({ realm }: TokenServiceOptions): string {
  return `Basic realm="${realm().replaceAll(/[^ !#-[\]-~]/g, '')}"`;
}

function wrong(what: string): RegistryError {
  return new RegistryError('UNAUTHORIZED', `${what}; log in again`);
}

function malformed(what: string): RegistryError {
  return new RegistryError('REQUEST_INVALID', `the request for a token is malformed: ${what}`);
}
