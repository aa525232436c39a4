/**
 * What can go wrong, as a closed list. The first group are the codes of the OCI distribution specification
 * (https://github.com/opencontainers/distribution-spec, "Error Codes"), the second those that the registry
 * ecosystem added, the third are ours: failures of an upstream, named precisely so that the one table which
 * maps codes to HTTP (`registry/failure.ts`) can answer each with the status that makes clients do the right thing.
 */
export type ErrorCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'BLOB_UPLOAD_BUSY'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'SIZE_INVALID'
  | 'TOO_LARGE'
  | 'UNAUTHORIZED'
  | 'DENIED'
  | 'UNSUPPORTED'
  | 'TOOMANYREQUESTS'
  | 'TAG_INVALID'
  | 'TAG_IMMUTABLE'
  | 'RANGE_INVALID'
  | 'PAGINATION_NUMBER_INVALID'
  | 'REQUEST_INVALID'
  | 'NOT_FOUND'
  | 'UNAVAILABLE'
  | 'UNKNOWN'
  | 'UPSTREAM_UNKNOWN'
  | 'UPSTREAM_UNREACHABLE'
  | 'UPSTREAM_TIMEOUT'
  | 'UPSTREAM_DENIED'
  | 'UPSTREAM_LIMITED'
  | 'UPSTREAM_INVALID'
  | 'UPSTREAM_FAILED';

/** Whose fault it was. */
export type Origin = 'client' | 'upstream' | 'store' | 'index' | 'operator' | 'entrepot';

export interface RegistryErrorOptions {
  readonly origin?: Origin;
  /** The upstream that failed, by its name in the configuration (`docker.io`). */
  readonly upstream?: string;
  /** The status the upstream answered with, where it answered. */
  readonly upstreamStatus?: number;
  /** How long to wait before asking again, in seconds; travels to the client as `Retry-After` (RFC 9110, 10.2.3). */
  readonly retryAfterSeconds?: number;
  /** How the upstream asks a client of its own who it is; travels as `WWW-Authenticate` (RFC 9110, 11.6.1). */
  readonly challenge?: string;
  /** Unstructured data for the specification's `detail` member. Never a secret. */
  readonly detail?: unknown;
  readonly cause?: unknown;
}

/** The one error class. Absence is not an error: a lookup that finds nothing returns `undefined`. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  readonly code: ErrorCode;
  readonly origin: Origin;
  readonly upstream: string | undefined;
  readonly upstreamStatus: number | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly challenge: string | undefined;
  readonly detail: unknown;

  constructor(code: ErrorCode, message: string, options: RegistryErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.origin = options.origin ?? (code.startsWith('UPSTREAM_') ? 'upstream' : 'client');
    this.upstream = options.upstream;
    this.upstreamStatus = options.upstreamStatus;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.challenge = options.challenge;
    this.detail = options.detail;
  }
}

/** The machine's own word for what went wrong in a store or an index, where the detail has it: `ENOSPC`. */
export function systemCodeOf(failure: unknown): string {
  const detail = failure instanceof RegistryError ? failure.detail : undefined;
  const code = typeof detail === 'object' && detail !== null && 'code' in detail ? detail.code : undefined;
  return typeof code === 'string' ? code : 'UNKNOWN';
}

/** Whatever was thrown, as an error: not everything that can be thrown is one. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** What there is to say of whatever was thrown. */
export function messageOf(thrown: unknown): string {
  return asError(thrown).message;
}

/** For states that cannot be: a bug of ours, never a client's input. */
export function unreachable(state: never): never {
  throw new Error(`impossible state: ${JSON.stringify(state)}`);
}
