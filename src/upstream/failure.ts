import { RegistryError } from '../oci/errors.ts';
import type { ErrorCode } from '../oci/errors.ts';

/** What was asked of whom, for the sentence that tells how it went wrong. */
export interface Question {
  /** The upstream's name: `docker.io`. */
  readonly upstream: string;
  /** The host that was asked: the registry, its token service, or where it redirected us. */
  readonly host: string;
  /** What was wanted: `manifest library/redis:7`. */
  readonly subject: string;
  readonly role: Role;
  /** Whether the request was made in our own name. */
  readonly withCredentials: boolean;
  /** It was made in a client's name: a refusal is between the two. */
  readonly forClient?: boolean;
}

/** As others hear of it: what somebody asked for is nobody else's business. */
export function unnamed(question: Question): Question {
  return { ...question, subject: 'an earlier request' };
}

/** `link`: a signed URL that a registry gave for a blob; `redirect`: another registry that it named. */
export type Role = 'registry' | 'token' | 'redirect' | 'link';

/** How an exchange broke before its end. */
export interface Breakdown {
  readonly stage: 'connect' | 'headers' | 'body';
  readonly why: 'refused' | 'timeout' | 'cut' | 'nonsense';
  /** One clause, without a secret: `connect ECONNREFUSED 192.0.2.1:443`. */
  readonly text: string;
  /** Node's or undici's: `ECONNREFUSED`. */
  readonly code?: string;
  /** What to do, where that is known better than in general. */
  readonly advice?: string;
}

/** The error for an exchange that came to no answer, or to half of one. */
export function brokenFailure(question: Question, breakdown: Breakdown): RegistryError {
  const { upstream } = question;
  const who = hostOf(question);
  const { text, stage } = breakdown;
  const wanted = `(${question.subject})`;
  if (breakdown.why === 'timeout') {
    const [what, advice] =
      breakdown.advice === undefined
        ? ['took too long', `check ${upstream} from this machine, or raise upstreams.${upstream}.timeouts`]
        : ['cannot be reached', breakdown.advice];
    return failure('UPSTREAM_TIMEOUT', question, `${who} ${what} ${wanted}: ${text}; ${advice}`);
  }
  if (breakdown.why === 'nonsense') {
    const advice = `check that upstreams.${upstream}.url is a registry's`;
    return failure(
      'UPSTREAM_INVALID',
      question,
      `${who} does not speak HTTP as it should ${wanted}: ${text}; ${advice}`,
    );
  }
  const what = stage === 'connect' ? 'cannot be reached' : 'broke the connection off';
  const advice = breakdown.advice ?? connectionAdvice(upstream, breakdown.code ?? '');
  return failure('UPSTREAM_UNREACHABLE', question, `${who} ${what} ${wanted}: ${text}; ${advice}`);
}

function connectionAdvice(upstream: string, code: string): string {
  if (certificateCodes.has(code)) return `if this certificate is meant, set upstreams.${upstream}.ca`;
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_'))
    return `if it speaks plain http, say so in upstreams.${upstream}.url`;
  return `check the network, DNS and upstreams.${upstream}`;
}

const certificateCodes = new Set([
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** The error for a status that is neither the content nor its absence. */
export function statusFailure(question: Question, status: number, retryAfterSeconds?: number): RegistryError {
  const more = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  const [code, sentence] = describeStatus(question, status, retryAfterSeconds);
  return failure(code, question, sentence, { upstreamStatus: status, ...more });
}

/** The upstream refuses a client of its own. @param challenge how it asks who that is */
export function clientFailure(question: Question, status: 401 | 403, challenge: string | undefined): RegistryError {
  const { upstream, subject } = question;
  const message = `${hostOf(question)} does not let you read ${subject} (${status}); log in to ${upstream}, or ask its owner`;
  const told = challenge === undefined ? {} : { challenge };
  const options = { upstream, upstreamStatus: status, origin: 'client', ...told } as const;
  return new RegistryError(status === 401 ? 'UNAUTHORIZED' : 'DENIED', message, options);
}

/** The error for an answer that cannot be what was asked for. `what` completes "docker.io (host) ...". */
export function invalidFailure(question: Question, what: string, options: FailureOptions = {}): RegistryError {
  const advice = `check that upstreams.${question.upstream}.url is a registry's and that nothing in between changes its answers`;
  return failure('UPSTREAM_INVALID', question, `${hostOf(question)} ${what} (${question.subject}); ${advice}`, options);
}

/** A token service that we may not talk to. */
export function realmFailure(question: Question, why: string, entry: string): RegistryError {
  const { upstream } = question;
  const advice = `if it is ${upstream}'s token service, add ${entry} to upstreams.${upstream}.realms`;
  return failure(
    'UPSTREAM_DENIED',
    question,
    `${upstream} names a token service that is not trusted: ${why}; ${advice}`,
  );
}

interface FailureOptions {
  readonly upstreamStatus?: number;
  readonly retryAfterSeconds?: number;
  readonly cause?: unknown;
}

export function failure(
  code: ErrorCode,
  question: Pick<Question, 'upstream'>,
  message: string,
  options: FailureOptions = {},
): RegistryError {
  return new RegistryError(code, message, { upstream: question.upstream, ...options });
}

function describeStatus(question: Question, status: number, retryAfterSeconds?: number): readonly [ErrorCode, string] {
  const { upstream, subject } = question;
  const who = hostOf(question);
  if (status === 451) {
    const advice = 'ask whoever publishes it, or pull it from elsewhere';
    return ['UPSTREAM_DENIED', `${who} may not give us ${subject} for legal reasons (451); ${advice}`];
  }
  if (question.role === 'link' && status >= 400 && status < 500 && status !== 429) {
    const advice = `check the clock of this machine and ${upstream}'s storage`;
    return ['UPSTREAM_FAILED', `${who} refused the link that ${upstream} gave for ${subject} (${status}); ${advice}`];
  }
  if (status === 401 || status === 403) return ['UPSTREAM_DENIED', deniedSentence(question, status)];
  if (status === 407) {
    const advice = `put them into the URL of upstreams.${upstream}.proxy, or of HTTP_PROXY`;
    return ['UPSTREAM_UNREACHABLE', `the outbound proxy to ${who} wants credentials (407) for ${subject}; ${advice}`];
  }
  if (status === 429) {
    const wait = retryAfterSeconds === undefined ? 'later' : `in ${retryAfterSeconds} s`;
    // Whom we were sent on to never sees our credentials.
    const isAsked = question.role === 'registry' || question.role === 'token';
    const advice = isAsked ? `, or set upstreams.${upstream}.credentials for a higher limit` : '';
    return ['UPSTREAM_LIMITED', `${who} limits our requests (429) for ${subject}; try again ${wait}${advice}`];
  }
  if (status === 508) {
    const advice = `let not both be each other's upstream, mirror or proxy: check upstreams.${upstream} here, and there`;
    return ['UPSTREAM_FAILED', `${who} asks this server in turn for ${subject} (508), which is a circle; ${advice}`];
  }
  if (status >= 500) return ['UPSTREAM_FAILED', `${who} failed (${status}) for ${subject}; try again later`];
  const advice = `check that upstreams.${upstream}.url is a registry's`;
  return ['UPSTREAM_INVALID', `${who} answered ${status} to a request for ${subject}; ${advice}`];
}

function deniedSentence(question: Question, status: number): string {
  const { upstream, subject } = question;
  const who = hostOf(question);
  if (question.withCredentials) {
    return `${who} refused our credentials for ${subject} (${status}); check upstreams.${upstream}.credentials (or proxy.username) and what they may read`;
  }
  return `${who} lets nobody read ${subject} without credentials (${status}): it does not exist or is private; check the name, or set upstreams.${upstream}.credentials`;
}

function hostOf({ upstream, host, role }: Question): string {
  if (role === 'token') return `the token service of ${upstream} (${host})`;
  if (role === 'redirect' || role === 'link') return `${host}, where ${upstream} sent us,`;
  return host === upstream ? upstream : `${upstream} (${host})`;
}
