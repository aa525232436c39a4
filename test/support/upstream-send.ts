/**
 * Sends a reply: ranges, corruption, stops and bandwidth limits, at the pace of whoever reads it.
 */
import type { ServerResponse } from 'node:http';
import { Throttle } from './throttle.ts';
import type { Exchange, Reply } from './upstream-reply.ts';
import { resolveRange } from './upstream-reply.ts';

/** Sends it all, or as much as the client, a stop, or a black hole lets through. */
export async function sendReply(exchange: Exchange, reply: Reply, total: Throttle | undefined): Promise<void> {
  const { entry, response, request } = exchange;
  const span = writeHead(exchange, reply);
  if (request.method === 'HEAD' || !reply.content || span.start === span.end) {
    response.end();
    return;
  }
  const limits = [total, exchange.listener.throttle(request), ownLimit(reply)].filter((limit) => limit !== undefined);
  const stops = reply.stops.filter(({ at }) => at >= span.start && at < span.end).sort((a, b) => a.at - b.at);
  let offset = span.start;
  for (const stop of stops) {
    response.flushHeaders();
    if (!(await sendSpan(exchange, reply, offset, stop.at, limits))) return;
    offset = stop.at;
    if (!(await stop.run(exchange))) {
      if (entry.outcome === 'open') entry.outcome = 'broken';
      response.destroy();
      return;
    }
  }
  if (await sendSpan(exchange, reply, offset, span.end, limits)) response.end();
}

function writeHead(exchange: Exchange, reply: Reply): { readonly start: number; readonly end: number } {
  const { entry, response } = exchange;
  const range = resolveRange(exchange, reply);
  const shift = range.status === 206 && reply.rangeStart !== undefined ? reply.rangeStart - range.start : 0;
  const [start, end] = [range.start + shift, range.end + shift];
  const size = reply.content?.size ?? 0;
  entry.status = reply.status === 200 ? range.status : reply.status;
  entry.start = start;
  const headers = { ...reply.headers };
  if (reply.etag !== undefined) headers.etag = reply.etag;
  if (reply.ranges) headers['accept-ranges'] = 'bytes';
  if (range.status === 206) headers['content-range'] = `bytes ${start}-${end - 1}/${size}`;
  if (range.status === 416) headers['content-range'] = `bytes */${size}`;
  if (!reply.chunked) headers['content-length'] = String(end - start);
  response.writeHead(entry.status, headers);
  return { start, end };
}

function ownLimit(reply: Reply): Throttle | undefined {
  return reply.bytesPerSecond === undefined ? undefined : new Throttle(reply.bytesPerSecond);
}

/** True if all of it has left the process. */
async function sendSpan(
  exchange: Exchange,
  reply: Reply,
  start: number,
  end: number,
  limits: readonly Throttle[],
): Promise<boolean> {
  let offset = start;
  for (const slice of reply.content?.slices(start, end) ?? []) {
    const bytes = corrupted(slice, offset, reply.corrupt);
    offset += slice.length;
    for (const piece of pieces(bytes, limits)) {
      for (const limit of limits) await limit.take(piece.length);
      if (exchange.listener.swallowing) await exchange.over;
      if (!(await sent(exchange.response, piece))) return false;
      exchange.entry.bytesSent += piece.length;
    }
  }
  return true;
}

function* pieces(slice: Buffer, limits: readonly Throttle[]): Iterable<Buffer> {
  const length = Math.min(slice.length, ...limits.map((limit) => limit.pieceBytes));
  for (let at = 0; at < slice.length; at += length) yield slice.subarray(at, at + length);
}

function corrupted(slice: Buffer, offset: number, corrupt: readonly number[]): Buffer {
  const hit = corrupt.map((at) => at - offset).filter((at) => at >= 0 && at < slice.length);
  if (hit.length === 0) return slice;
  const copy = Buffer.from(slice);
  for (const at of hit) copy[at] = ~(copy[at] ?? 0);
  return copy;
}

/** Waits until the kernel has it, so that the count of bytes is exact and nothing piles up; false if the client left. */
function sent(response: ServerResponse, bytes: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    if (response.destroyed) return resolve(false);
    const gone = (): void => resolve(false);
    response.once('close', gone);
    response.write(bytes, (error) => {
      response.off('close', gone);
      resolve(!error);
    });
  });
}
