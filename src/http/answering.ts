import { havingComeBy } from '../observe/came-by.ts';
import { messageOf, RegistryError } from '../oci/errors.ts';
import { errorReply } from './error-body.ts';
import type { ErrorEntry } from './error-body.ts';
import type { ExchangeContext } from './exchange.ts';
import { loggedUrl } from './logged-url.ts';
import type { Notes, Reply } from './message.ts';
import { unconnected } from './pass-through.ts';
import { readBack } from './prepared-headers.ts';
import type { IncomingRequest, Peer, RequestHead } from './request.ts';
import { looped, misdirected } from './via.ts';

/** The log line's status when the client went away before there was one (nginx's number for it). */
export const clientClosedStatus = 499;

/** What is never answered, whoever asks. */
export function unacceptable(
  { mark, isOwnName }: ExchangeContext,
  peer: Peer,
  head: RequestHead,
  notes: Notes,
): Reply | undefined {
  const refusal = looped(head, mark) ?? misdirected(head, peer, isOwnName);
  if (refusal === undefined) return undefined;
  const { status, ...entry } = refusal;
  return refused(notes, status, entry);
}

/** What HTTP itself forbids to answer. */
export function malformed(notes: Notes, why: string): Reply {
  return refused(notes, 400, { code: 'REQUEST_INVALID', message: `the request is malformed: ${why}` });
}

/** What the handler says, to those who get as far as that. */
export function answerTo(
  context: ExchangeContext,
  { refusal }: Peer,
  request: IncomingRequest,
): Reply | Promise<Reply> {
  if (refusal !== undefined) {
    const { status, ...entry } = refusal;
    return refused(request.notes, status, entry);
  }
  const { via } = request.headers;
  return via === undefined
    ? answerToAdmitted(context, request)
    : havingComeBy(via, () => answerToAdmitted(context, request));
}

function answerToAdmitted(context: ExchangeContext, request: IncomingRequest): Reply | Promise<Reply> {
  const { interception, handler } = context;
  const kind = request.via?.kind;
  if (interception === undefined || (kind !== 'absolute' && kind !== 'host')) return handler(request);
  return answerElsewhere(context, interception, request);
}

async function answerElsewhere(
  { handler }: ExchangeContext,
  interception: NonNullable<ExchangeContext['interception']>,
  request: IncomingRequest,
): Promise<Reply> {
  const early = (await unadmitted(interception, request)) ?? (await outside(interception, request));
  return early ?? (await handler(request));
}

async function outside(
  interception: NonNullable<ExchangeContext['interception']>,
  request: IncomingRequest,
): Promise<Reply | undefined> {
  const { via, absolute } = request;
  if (via?.kind !== 'absolute' || absolute === undefined) return undefined;
  const answer = await interception.outside(request, { ...absolute, via }).catch(unconnected);
  if (answer === undefined || !('kind' in answer)) return answer;
  return refused(request.notes, answer.status, { code: 'DENIED', message: answer.message });
}

/** A tunnel was asked for at its beginning; who names another host in a request asks each time. */
async function unadmitted(
  interception: NonNullable<ExchangeContext['interception']>,
  request: IncomingRequest,
): Promise<Reply | undefined> {
  const { via, clientAddress, headers } = request;
  if (via?.kind !== 'absolute' && via?.kind !== 'host') return undefined;
  const proxyAuthorization = headers['proxy-authorization'];
  const admission = await interception.admit({ kind: via.kind, clientAddress, proxyAuthorization });
  if (admission.kind === 'refuse') {
    const { status, message, headers: more = [] } = admission;
    const fields = Object.fromEntries(more.map((line) => line.split(/: (.*)/s)));
    return refused(request.notes, status, { code: 'DENIED', message }, fields);
  }
  if (admission.guest !== undefined) request.introduce(admission.guest);
  return undefined;
}

function refused(
  notes: Notes,
  status: number,
  entry: ErrorEntry,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  [notes.errorCode, notes.errorMessage, notes.origin] = ['REQUEST_INVALID', entry.message, 'client'];
  return errorReply(status, entry, headers);
}

/** Name, value, name, value: all that goes out with a reply. */
export function allHeadersOf(context: ExchangeContext, request: IncomingRequest, reply: Reply): string[] {
  const headers = [idHeader, request.id, ...headersOf(context, reply)];
  return reply.prepared === undefined ? headers : [...headers, ...readBack(reply.prepared)];
}

export const idHeader = 'X-Request-Id';

/** The same without the request's id, and without those that are prepared. */
export function headersOf(context: ExchangeContext, reply: Reply): string[] {
  const headers: string[] = [...context.fixedHeaders];
  for (const name in reply.headers) headers.push(name, reply.headers[name] ?? '');
  if (saysNoLength(reply)) headers.push('Content-Length', '0');
  for (const [name, value] of reply.repeated ?? []) headers.push(name, value);
  return headers;
}

/** An answer without a body whose handler left its length out; who prepares headers has put it there. */
function saysNoLength({ status, headers, prepared, body }: Reply): boolean {
  return body.kind === 'none' && status !== 304 && prepared === undefined && headers['Content-Length'] === undefined;
}

export function isBodyless(method: string, status: number): boolean {
  return method === 'HEAD' || status === 304 || status === 204;
}

/** Why there is no proper answer, for the log. */
export function noteFailure(notes: Notes, error: unknown): void {
  notes.errorCode ??= error instanceof RegistryError ? error.code : 'UNKNOWN';
  notes.errorMessage ??= messageOf(error);
  notes.origin ??= error instanceof RegistryError ? error.origin : 'entrepot';
}

export function mishapReply(requestId: string): Reply {
  const message = `something went wrong in this server (request ${requestId}); its log says what`;
  return errorReply(500, { code: 'UNKNOWN', message });
}

/** How an answer went. Times in milliseconds. */
export interface Course {
  readonly status: number;
  readonly bytes: number;
  readonly firstByteMs: number;
  readonly ms: number;
  readonly complete: boolean;
}

/** The one line of the access log. */
export function tell(
  { observer }: ExchangeContext,
  { url = '', httpVersion }: RequestHead,
  request: IncomingRequest,
  course: Course,
): void {
  const { notes } = request;
  observer.emit({
    type: 'request.done',
    requestId: request.id,
    method: request.method,
    url: loggedUrl(url, request.via === undefined),
    status: course.status,
    clientAddress: request.clientAddress,
    userAgent: request.headers['user-agent'] ?? '',
    httpVersion,
    user: notes.user,
    upstream: notes.upstream,
    repository: notes.repository,
    reference: notes.reference,
    outcome: notes.outcome,
    errorCode: notes.errorCode,
    errorMessage: notes.errorMessage,
    origin: notes.origin,
    door: notes.door,
    bytes: course.bytes,
    firstByteMs: course.firstByteMs,
    ms: course.ms,
    complete: course.complete,
  });
}
