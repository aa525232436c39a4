import { randomUUID } from 'node:crypto';
import type { BlobReplyBody, Reply, Slice } from '../http/message.ts';
import type { BlobReader } from '../oci/blob.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Answer } from '../oci/repository.ts';
import { answerHeaders, etagOf, immutable, isNoneMatch } from './content.ts';
import type { Asked } from './content.ts';
import { failureReply } from './failure.ts';
import { parseRange } from './range.ts';
import type { RangeWanted } from './range.ts';

/** A blob or parts of it (distribution specification, "Pulling blobs"; RFC 9110, 14). HEAD never fetches one. */
export async function getBlob(asked: Asked, digest: Digest): Promise<Reply> {
  const { repository, request, ask } = asked;
  if (request.method === 'HEAD') {
    const found = await repository.stat(digest, ask);
    if (found === undefined) throw unknownBlob(asked, digest);
    return withoutBody(asked, digest, blobHeaders(asked, found, digest), found.value.size);
  }
  const found = await repository.blob(digest, ask);
  if (found === undefined) throw unknownBlob(asked, digest);
  const headers = blobHeaders(asked, found, digest);
  if (isNoneMatch(request.headers['if-none-match'], digest)) return withoutBody(asked, digest, headers, 0);
  return await ranged(asked, found.value, headers);
}

async function ranged(asked: Asked, blob: BlobReader, headers: Record<string, string>): Promise<Reply> {
  const range = parseRange(conditionalRange(asked, blob.digest), blob.size);
  if (range.kind === 'unsatisfiable') return unsatisfiable(asked, blob, range.why);
  if (range.kind === 'whole') {
    const slice = { prefix: '', start: 0, end: blob.size, verified: true };
    return await blobReply(asked, blob, 200, { ...headers, 'Content-Length': String(blob.size) }, [slice], '');
  }
  const [first, ...others] = range.parts;
  if (others.length > 0) return await multipart(asked, blob, headers, range.parts);
  const partial = {
    ...headers,
    'Content-Length': String(first.end - first.start),
    'Content-Range': contentRange(first, blob.size),
  };
  return await blobReply(asked, blob, 206, partial, [sliceOf(first, blob.size, '')], '');
}

/** RFC 9110, 14.6. The boundary is random: no blob can be made to contain it. */
async function multipart(
  asked: Asked,
  blob: BlobReader,
  headers: Record<string, string>,
  parts: readonly RangeWanted[],
): Promise<Reply> {
  const boundary = randomUUID();
  const slices = parts.map((part, index) => {
    const start = index === 0 ? '' : '\r\n';
    const type = `Content-Type: application/octet-stream\r\nContent-Range: ${contentRange(part, blob.size)}`;
    return sliceOf(part, blob.size, `${start}--${boundary}\r\n${type}\r\n\r\n`);
  });
  const tail = `\r\n--${boundary}--\r\n`;
  const length = slices.reduce((sum, slice) => sum + slice.prefix.length + slice.end - slice.start, tail.length);
  const multiple = {
    ...headers,
    'Content-Type': `multipart/byteranges; boundary=${boundary}`,
    'Content-Length': String(length),
  };
  return await blobReply(asked, blob, 206, multiple, slices, tail);
}

async function blobReply(
  asked: Asked,
  blob: BlobReader,
  status: number,
  headers: Record<string, string>,
  slices: readonly Slice[],
  tail: string,
): Promise<Reply> {
  const source = await blob.open({ verified: slices.some((slice) => slice.verified) });
  const refuse = (error: unknown): Reply => failureReply(error, asked.request, { label: asked.repository.label });
  const body: BlobReplyBody = { kind: 'blob', source, slices, tail, refuse };
  return { status, headers, body };
}

/** From the start of what was asked to the end of the blob: whoever reads that must never complete a bad body. */
function sliceOf({ start, end, openEnded }: RangeWanted, size: number, prefix: string): Slice {
  return { prefix, start, end, verified: openEnded || (start === 0 && end === size) };
}

function blobHeaders(asked: Asked, found: Answer<unknown>, digest: Digest): Record<string, string> {
  return {
    ...answerHeaders(asked, found),
    'Content-Type': 'application/octet-stream',
    'Docker-Content-Digest': digest,
    ETag: etagOf(digest),
    'Accept-Ranges': 'bytes',
    'Cache-Control': immutable,
  };
}

function withoutBody(asked: Asked, digest: Digest, headers: Record<string, string>, size: number): Reply {
  if (!isNoneMatch(asked.request.headers['if-none-match'], digest)) {
    return { status: 200, headers: { ...headers, 'Content-Length': String(size) }, body: { kind: 'none' } };
  }
  const { 'Content-Type': _type, ...others } = headers;
  return { status: 304, headers: others, body: { kind: 'none' } };
}

/** If-Range compares strongly, and never with a date: there is none (RFC 9110, 13.1.5). */
function conditionalRange({ request }: Asked, digest: Digest): string | undefined {
  const ifRange = request.headers['if-range'];
  return ifRange === undefined || ifRange.trim() === etagOf(digest) ? request.headers['range'] : undefined;
}

function contentRange({ start, end }: RangeWanted, size: number): string {
  return `bytes ${start}-${end - 1}/${size}`;
}

function unsatisfiable(asked: Asked, blob: BlobReader, why: 'inverted' | 'beyond'): Reply {
  const message =
    why === 'inverted'
      ? 'a range ends before it begins; name its first byte first'
      : `the range has none of the ${blob.size} bytes of ${blob.digest}; ask for some of them`;
  const reply = failureReply(new RegistryError('RANGE_INVALID', message), asked.request, {
    label: asked.repository.label,
  });
  return { ...reply, headers: { ...reply.headers, 'Content-Range': `bytes */${blob.size}` } };
}

function unknownBlob({ repository }: Asked, digest: Digest): RegistryError {
  return new RegistryError('BLOB_UNKNOWN', `there is no blob ${digest} in ${repository.label}`, { detail: { digest } });
}
