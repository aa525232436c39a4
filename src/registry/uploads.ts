import type { Reply, Request } from '../http/message.ts';
import { parseDigest, isDigestAlgorithm } from '../oci/digest.ts';
import type { Digest, DigestAlgorithm } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { RepositoryKey } from '../oci/repository.ts';
import { uploadAlgorithm } from '../oci/upload.ts';
import type { Upload, UploadId, UploadStatus } from '../oci/upload.ts';
import { writesHeaders } from './content.ts';
import type { AskedToWrite } from './content.ts';
import { failureReply } from './failure.ts';
import { linkTo } from './links.ts';
import { shown } from './url.ts';

/**
 * Begins an upload; or mounts a blob of another repository; or takes all of it at once (distribution specification,
 * "Pushing blobs").
 */
export async function startUpload(
  asked: AskedToWrite,
  repositoryNamed: (name: string) => RepositoryKey | undefined,
): Promise<Reply> {
  const { repository, target, ask } = asked;
  const { mount, from, digest } = target.query;
  if (mount !== undefined && digest === undefined) {
    const wanted = parseDigest(mount);
    const source = from === undefined ? undefined : repositoryNamed(from);
    const isNobodys = from !== undefined && source === undefined;
    if (!isNobodys && (await repository.mount(wanted, source, ask))) return created(asked, wanted);
  }
  const expected = digest === undefined ? undefined : parseDigest(digest);
  const status = await repository.startUpload(algorithmFor(asked, expected), ask);
  if (expected === undefined) return accepted(asked, status);
  await using upload = await found(asked, status.id);
  return await finish(asked, upload, expected);
}

export async function tellUpload(asked: AskedToWrite, id: UploadId): Promise<Reply> {
  const status = await asked.repository.uploadStatus(id, asked.ask);
  if (status === undefined) throw unknownUpload();
  return { status: 204, headers: statusHeaders(asked, status), body: { kind: 'none' } };
}

/** The next piece; without Content-Range whatever comes is the next piece. */
export async function appendToUpload(asked: AskedToWrite, id: UploadId): Promise<Reply> {
  await using upload = await found(asked, id);
  if (!isNext(asked, upload.status)) return misplaced(asked, upload.status);
  await upload.write(asked.request.body);
  return accepted(asked, upload.status);
}

/** The last piece, which may be none, and the digest of the whole. */
export async function finishUpload(asked: AskedToWrite, id: UploadId): Promise<Reply> {
  const { repository, target, ask } = asked;
  if (target.query.digest === undefined) {
    throw new RegistryError('DIGEST_INVALID', 'the digest of the blob is missing; give it as ?digest=');
  }
  const expected = parseDigest(target.query.digest);
  await using upload = await repository.resumeUpload(id, ask);
  if (upload !== undefined) return await finish(asked, upload, expected);
  // Its client may have missed our answer, and asks again.
  if ((await repository.stat(expected, ask)) !== undefined) return created(asked, expected);
  throw unknownUpload();
}

export async function cancelUpload(asked: AskedToWrite, id: UploadId): Promise<Reply> {
  await using upload = await found(asked, id);
  await upload.cancel();
  return { status: 204, headers: writesHeaders, body: { kind: 'none' } };
}

async function found({ repository, ask }: AskedToWrite, id: UploadId): Promise<Upload> {
  const upload = await repository.resumeUpload(id, ask);
  if (upload === undefined) throw unknownUpload();
  return upload;
}

async function finish(asked: AskedToWrite, upload: Upload, expected: Digest): Promise<Reply> {
  if (!isNext(asked, upload.status)) return misplaced(asked, upload.status);
  await upload.write(asked.request.body);
  await upload.commit(expected);
  return created(asked, expected);
}

/** The specification writes a Content-Range of its own: `<start>-<end>`, both included. */
const contentRange = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/;

function isNext({ request }: AskedToWrite, { received }: UploadStatus): boolean {
  const range = request.headers['content-range'];
  if (range === undefined) return true;
  const match = contentRange.exec(range.trim());
  if (match === null || Number(match[1]) !== received) return false;
  const length = Number(match[2]) - Number(match[1]) + 1;
  return request.body.length === undefined || request.body.length === length;
}

function misplaced(asked: AskedToWrite, status: UploadStatus): Reply {
  const message = `${whyMisplaced(asked.request, status)}; go on with Content-Range: ${status.received}-LAST, or without one`;
  const reply = failureReply(new RegistryError('RANGE_INVALID', message), asked.request, {
    label: asked.repository.label,
  });
  return { ...reply, headers: { ...reply.headers, ...statusHeaders(asked, status) } };
}

function whyMisplaced({ headers, body }: Request, { received }: UploadStatus): string {
  const range = (headers['content-range'] ?? '').trim();
  const [, first, last] = contentRange.exec(range) ?? [];
  if (first === undefined || last === undefined) return `Content-Range ${shown(range)} is not of the form FIRST-LAST`;
  const told = Number(last) - Number(first) + 1;
  if (Number(first) === received)
    return `Content-Range ${shown(range)} tells of ${told} bytes, and ${body.length} come`;
  return `Content-Range ${shown(range)} is not the next piece: ${received} bytes have been received`;
}

function algorithmFor({ target }: AskedToWrite, expected: Digest | undefined): DigestAlgorithm {
  const wanted = target.query.digestAlgorithm ?? expected?.slice(0, expected.indexOf(':')) ?? uploadAlgorithm;
  if (isDigestAlgorithm(wanted)) return wanted;
  throw new RegistryError('DIGEST_INVALID', `${shown(wanted)} is not one of sha256, sha512`);
}

function accepted(asked: AskedToWrite, status: UploadStatus): Reply {
  return { status: 202, headers: statusHeaders(asked, status), body: { kind: 'none' } };
}

function created(asked: AskedToWrite, digest: Digest): Reply {
  const headers = { ...writesHeaders, Location: linkTo(asked, `blobs/${digest}`), 'Docker-Content-Digest': digest };
  return { status: 201, headers, body: { kind: 'none' } };
}

/** Both ends of a Range are included: nothing received looks like one byte, for the specification has it so. */
function statusHeaders(asked: AskedToWrite, { id, received }: UploadStatus): Record<string, string> {
  return {
    ...writesHeaders,
    Location: linkTo(asked, `blobs/uploads/${id}`),
    Range: `0-${Math.max(received - 1, 0)}`,
    'Docker-Upload-UUID': id,
  };
}

function unknownUpload(): RegistryError {
  return new RegistryError('BLOB_UPLOAD_UNKNOWN', 'there is no such upload, or it was given up; start another one');
}
