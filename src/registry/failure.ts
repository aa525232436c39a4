/** The one place where an error becomes an HTTP answer. */
import { errorReply } from '../http/error-body.ts';
import type { Reply, Request } from '../http/message.ts';
import { messageOf, RegistryError } from '../oci/errors.ts';
import type { ErrorCode } from '../oci/errors.ts';

interface Answer {
  readonly status: number;
  /** What clients are told: the specification's codes wherever one fits. */
  readonly code: string;
}

/**
 * Chosen by what clients do (measured): on a manifest's 404, 403, 500 and 503 all of them go on to the next registry at
 * once; 429 makes containerd ask six times in a row and podman wait for half a minute, so it is passed on only where it
 * is the truth; nothing here ever makes a client send us a password.
 */
const answers: Readonly<Record<ErrorCode, Answer>> = {
  BLOB_UNKNOWN: { status: 404, code: 'BLOB_UNKNOWN' },
  BLOB_UPLOAD_INVALID: { status: 400, code: 'BLOB_UPLOAD_INVALID' },
  BLOB_UPLOAD_UNKNOWN: { status: 404, code: 'BLOB_UPLOAD_UNKNOWN' },
  BLOB_UPLOAD_BUSY: { status: 409, code: 'BLOB_UPLOAD_INVALID' },
  DIGEST_INVALID: { status: 400, code: 'DIGEST_INVALID' },
  MANIFEST_BLOB_UNKNOWN: { status: 400, code: 'MANIFEST_BLOB_UNKNOWN' },
  MANIFEST_INVALID: { status: 400, code: 'MANIFEST_INVALID' },
  MANIFEST_UNKNOWN: { status: 404, code: 'MANIFEST_UNKNOWN' },
  NAME_INVALID: { status: 400, code: 'NAME_INVALID' },
  NAME_UNKNOWN: { status: 404, code: 'NAME_UNKNOWN' },
  SIZE_INVALID: { status: 400, code: 'SIZE_INVALID' },
  TOO_LARGE: { status: 413, code: 'SIZE_INVALID' },
  UNAUTHORIZED: { status: 401, code: 'UNAUTHORIZED' },
  DENIED: { status: 403, code: 'DENIED' },
  UNSUPPORTED: { status: 405, code: 'UNSUPPORTED' },
  TOOMANYREQUESTS: { status: 429, code: 'TOOMANYREQUESTS' },
  TAG_INVALID: { status: 400, code: 'TAG_INVALID' },
  TAG_IMMUTABLE: { status: 409, code: 'DENIED' },
  RANGE_INVALID: { status: 416, code: 'RANGE_INVALID' },
  PAGINATION_NUMBER_INVALID: { status: 400, code: 'PAGINATION_NUMBER_INVALID' },
  REQUEST_INVALID: { status: 400, code: 'REQUEST_INVALID' },
  NOT_FOUND: { status: 404, code: 'NOT_FOUND' },
  UNAVAILABLE: { status: 503, code: 'UNAVAILABLE' },
  UNKNOWN: { status: 500, code: 'UNKNOWN' },
  UPSTREAM_UNKNOWN: { status: 404, code: 'NAME_UNKNOWN' },
  UPSTREAM_UNREACHABLE: { status: 503, code: 'UNAVAILABLE' },
  UPSTREAM_TIMEOUT: { status: 504, code: 'UNAVAILABLE' },
  // Never 401: the upstream refused our credentials, not the client's, and a challenge would ask for those.
  UPSTREAM_DENIED: { status: 403, code: 'DENIED' },
  UPSTREAM_LIMITED: { status: 429, code: 'TOOMANYREQUESTS' },
  UPSTREAM_INVALID: { status: 502, code: 'UNAVAILABLE' },
  UPSTREAM_FAILED: { status: 503, code: 'UNAVAILABLE' },
};

/** Which repository it happened in, as people know it; `undefined` where the request never got so far. */
export interface FailureContext {
  readonly label: string | undefined;
  /** For 405. */
  readonly allow?: string | undefined;
  /** For 401: how to log in. Where nobody can, that would be a lie, and it is a 403. */
  readonly challenge?: string | undefined;
}

/** Answers with what went wrong, and notes it for the log. What is no RegistryError is a bug of ours, told to the log only. */
export function failureReply(error: unknown, request: Request, { label, allow, challenge }: FailureContext): Reply {
  const known = error instanceof RegistryError ? error : undefined;
  const { notes } = request;
  notes.errorCode = known?.code ?? 'UNKNOWN';
  notes.errorMessage = messageOf(error);
  notes.origin = known?.origin ?? 'entrepot';
  const asked = known?.challenge ?? challenge;
  const isVain = known?.code === 'UNAUTHORIZED' && asked === undefined;
  const { status, code } = answers[isVain ? 'DENIED' : (known?.code ?? 'UNKNOWN')];
  const message = `${sentence(known, label)} (request ${request.id})`;
  const headers: Record<string, string> = { 'Docker-Distribution-Api-Version': 'registry/2.0' };
  if (known?.retryAfterSeconds !== undefined) headers['Retry-After'] = String(Math.ceil(known.retryAfterSeconds));
  if (status === 401 && asked !== undefined) headers['WWW-Authenticate'] = asked;
  if (status === 405) headers['Allow'] = allow ?? 'GET, HEAD';
  return errorReply(
    status,
    { code, message, ...(known?.detail === undefined ? {} : { detail: known.detail }) },
    headers,
  );
}

/** The error's own words, after whatever they leave out of where it happened. */
function sentence(known: RegistryError | undefined, label: string | undefined): string {
  if (known === undefined) return 'something went wrong in this server; its log says what';
  const where = label ?? known.upstream;
  return where === undefined || known.message.includes(where) ? known.message : `${where}: ${known.message}`;
}
