import { asError, RegistryError } from '../../oci/errors.ts';

/** What an ACME server says is wrong (RFC 7807, as RFC 8555, 6.7 uses it). */
export type Problem = Readonly<Record<string, unknown>>;

/** What to do about some of them, by their type; a sentence's second half. */
const adviceOn: Readonly<Record<string, string>> = {
  rateLimited: 'wait: it is asked again when it said; keep what is at http.tls.letsencrypt.cachefile over restarts',
  rejectedIdentifier: 'list names in http.tls.letsencrypt.hosts that it gives certificates for',
  invalidContact: 'correct http.tls.letsencrypt.email',
  unsupportedContact: 'correct http.tls.letsencrypt.email',
  externalAccountRequired:
    'name another one in http.tls.letsencrypt.directoryurl: this one serves its own customers only',
};
const otherwise = 'check http.tls.letsencrypt; it is asked again by itself';

/** Ours to wait for at most, however far off a server's Retry-After is. In seconds. */
const retryAfterSecondsMax = 7 * 86_400;
const detailCharactersMax = 500;

/** An answer of 400 or more. */
export function refusedWith(
  status: number,
  problem: Problem,
  retryAfter: string | undefined,
  now: number,
): RegistryError {
  const advice = adviceOn[kindOf(problem)] ?? otherwise;
  const message = `the ACME server refused (${status}): ${problemText(problem)}; ${advice}`;
  const seconds = retryAfterSeconds(retryAfter, now);
  return new RegistryError('UPSTREAM_FAILED', message, seconds === undefined ? {} : { retryAfterSeconds: seconds });
}

/** No answer at all. */
export function unreachable(url: string, cause: unknown): RegistryError {
  const { message, name } = asError(cause);
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : name;
  const advice =
    'let this machine reach it (HTTPS_PROXY is honoured), and name whom it is trusted by in http.tls.letsencrypt.ca where that is no public authority';
  const text = `the ACME server at ${new URL(url).host} cannot be asked (${message === '' ? code : message}); ${advice}`;
  return new RegistryError('UPSTREAM_UNREACHABLE', text, { cause });
}

/** An answer that RFC 8555 does not allow. */
export function nonsense(what: string): RegistryError {
  const advice = 'is http.tls.letsencrypt.directoryurl the directory of an ACME server?';
  return new RegistryError('UPSTREAM_INVALID', `the ACME server ${what}; ${advice}`);
}

export function problemText(problem: Problem): string {
  const { detail } = problem;
  return `${kindOf(problem)}: ${typeof detail === 'string' ? detail.slice(0, detailCharactersMax) : 'no detail'}`;
}

export function kindOf({ type }: Problem): string {
  return typeof type === 'string' ? type.replace('urn:ietf:params:acme:error:', '') : 'error';
}

/** Seconds or a date (RFC 9110, 10.2.3); `undefined` when absent or unreadable. */
export function retryAfterSeconds(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  const seconds = /^\d{1,15}$/.test(text) ? Number(text) : Math.ceil((Date.parse(text) - now) / 1000);
  return Number.isNaN(seconds) ? undefined : Math.min(Math.max(seconds, 0), retryAfterSecondsMax);
}
