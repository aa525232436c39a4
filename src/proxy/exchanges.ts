/** Exchanges with token services (Docker's token specification), passed on as they are and learned from. */
import type { Reply, Request, Via } from '../http/message.ts';
import { RegistryError } from '../oci/errors.ts';
import type { RelayAnswer, Upstream } from '../upstream/contract.ts';
import { answerHeaders, requestHeaders } from './headers.ts';
import { streamOf } from './stream-of.ts';
import type { Account, Given, TokenDesk } from './token-desk.ts';

const formType = /^application\/x-www-form-urlencoded(?:;|$)/i;
/** In bytes: what is longer is passed on by other ways, and not learned from. */
const formBytesMax = 64 * 1024;
const answerBytesMax = 1024 * 1024;
/** What a token that says nothing of its life is good for, at least. */
const secondsMin = 60;

/** Of the registry itself, and of no token service; some have theirs among its paths, as Quay has. */
const registryPath = /^\/v[12]\/(?!(?:auth|token)(?:\?|$))/;

export function isTokenExchange({ method, url, headers, body }: Request): boolean {
  if (registryPath.test(url)) return false;
  if (method === 'GET') return /[?&](?:scope|service)=/.test(url);
  const isForm = method === 'POST' && formType.test(headers['content-type'] ?? '');
  return isForm && body.length !== undefined && body.length <= formBytesMax;
}

/** @throws RegistryError when there is no answer, and nobody can be stood in for */
export async function passExchange(request: Request, via: Via, upstream: Upstream, desk: TokenDesk): Promise<Reply> {
  request.notes.upstream = upstream.name;
  const form = request.method === 'POST' ? await request.body.whole(formBytesMax) : undefined;
  const asked = askedIn(request, form);
  let answer: RelayAnswer;
  try {
    answer = await upstream.relay({
      host: via.host,
      method: request.method,
      path: request.url,
      headers: { ...requestHeaders(request.headers), 'accept-encoding': 'identity' },
      body: form && streamOf(form),
      signal: request.gone,
    });
  } catch (error) {
    const isAway = error instanceof RegistryError && error.origin === 'upstream';
    if (!isAway || asked.isLogin) throw error;
    return tokenReply(await desk.standIn(asked.account, upstream.name), desk.now);
  }
  // Nobody makes a service fail for himself, and has proved what was taken from him a minute ago.
  if (answer.status >= 500 && asked.account.kind === 'nobody' && !asked.isLogin) {
    answer.cancel();
    return tokenReply(await desk.standIn(asked.account, upstream.name), desk.now);
  }
  const bytes = await whole(answer);
  const given = answer.status === 200 ? givenIn(bytes) : undefined;
  if (given !== undefined) await desk.note(asked.account, upstream.name, given);
  return {
    status: answer.status,
    headers: {},
    repeated: answerHeaders(answer.headers),
    body: { kind: 'bytes', bytes },
  };
}

interface Asked {
  readonly account: Account;
  /** Whether the account is right is what is asked: nobody can stand in for the answer. */
  readonly isLogin: boolean;
}

function askedIn({ url, headers }: Request, form: Uint8Array | undefined): Asked {
  const query = new URL(url, 'http://there').searchParams;
  const fields = form === undefined ? query : new URLSearchParams(Buffer.from(form).toString());
  const isLogin = query.get('offline_token') === 'true' || fields.get('access_type') === 'offline';
  const [, basic] = /^basic\s+(\S+)/i.exec(headers['authorization'] ?? '') ?? [];
  if (basic !== undefined) {
    return { account: { kind: 'password', text: Buffer.from(basic, 'base64').toString() }, isLogin };
  }
  const refresh = fields.get('refresh_token');
  if (form !== undefined && refresh !== null) return { account: { kind: 'refresh', text: refresh }, isLogin };
  const [user, password] = [fields.get('username'), fields.get('password')];
  const isPassword = form !== undefined && user !== null && password !== null;
  return { account: isPassword ? { kind: 'password', text: `${user}:${password}` } : { kind: 'nobody' }, isLogin };
}

async function whole(answer: RelayAnswer): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.chunks) {
    bytes += chunk.length;
    if (bytes > answerBytesMax) {
      answer.cancel();
      throw new RegistryError('UPSTREAM_INVALID', 'the token service says more than a token has; try again');
    }
    pieces.push(chunk);
  }
  return Buffer.concat(pieces, bytes);
}

function givenIn(bytes: Buffer): Given | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
  if (typeof answer !== 'object' || answer === null) return undefined;
  const fields = answer as Readonly<Record<string, unknown>>;
  const token = fields['token'] ?? fields['access_token'];
  const { expires_in: seconds, refresh_token: refresh } = fields;
  if (typeof token !== 'string' || token === '') return undefined;
  return {
    token,
    refreshToken: typeof refresh === 'string' && refresh !== '' ? refresh : undefined,
    expiresInSeconds: typeof seconds === 'number' && seconds > 0 ? seconds : secondsMin,
  };
}

function tokenReply({ token, expiresInSeconds }: Given, nowMs: number): Reply {
  const issued = new Date(nowMs).toISOString();
  const answer = { token, access_token: token, expires_in: expiresInSeconds, issued_at: issued };
  const bytes = Buffer.from(JSON.stringify(answer));
  return {
    status: 200,
    headers: { 'Content-Type': 'application/json', 'Content-Length': String(bytes.length) },
    body: { kind: 'bytes', bytes },
  };
}
