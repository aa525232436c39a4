/**
 * Everything an upstream can do wrong, as values: `upstream.fault({ path: '/blobs/', times: 1 }, cut(1000))`.
 *
 * Offsets count bytes of the blob or manifest, not of the body: `corrupt(500)` flips the same byte whichever range it
 * travels in, and a fault at an offset happens only to (and is used up only by) a body that contains that offset.
 */
import { gzipSync } from 'node:zlib';
import { literalBlob } from './blobs.ts';
import { matches } from './upstream-ledger.ts';
import type { Filter } from './upstream-ledger.ts';
import { resetConnection } from './upstream-listener.ts';
import { reply, resolveRange } from './upstream-reply.ts';
import type { Exchange, Reply } from './upstream-reply.ts';

export interface FaultFilter extends Omit<Filter, 'status'> {
  /** How many matching requests it happens to. Default: all. */
  readonly times?: number;
  /** How many matching requests are left in peace first. Default 0. */
  readonly skip?: number;
}

export type Fault =
  /** Answers in the registry's place, or holds the request back and lets it pass. */
  | { readonly kind: 'arrival'; readonly act: (exchange: Exchange) => Promise<Reply | 'pass' | 'over'> }
  /** Changes what the registry would answer. */
  | { readonly kind: 'reply'; readonly at?: number; readonly change: (reply: Reply) => void };

/** A fault that is in force until it is lifted: `using outage = upstream.fault({}, status(503));` */
export interface FaultHandle extends Disposable {
  /** How many requests it happened to. */
  readonly hits: number;
  lift(): void;
}

const onArrival = (act: (exchange: Exchange) => Promise<Reply | 'pass' | 'over'>): Fault => ({ kind: 'arrival', act });
const onReply = (change: (reply: Reply) => void): Fault => ({ kind: 'reply', change });
const onBody = (at: number, change: (reply: Reply) => void): Fault => ({ kind: 'reply', at, change });

export const status = (code: number, headers: Record<string, string> = {}, body = ''): Fault =>
  onArrival(async () => reply(code, literalBlob(body), headers));

/** A web page with status 200 for whatever is asked. */
export const html200 = (): Fault =>
  status(200, { 'content-type': 'text/html' }, '<!doctype html><title>Welcome</title><p>Please accept our terms.</p>');

export const redirect = (to: string, code = 307): Fault => status(code, { location: to });

/** Waits, in real time, before the registry answers. */
export const delay = (ms: number): Fault =>
  onArrival(async ({ over }) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    await Promise.race([promise, over]);
    clearTimeout(timer);
    return 'pass';
  });

/** Never answers. */
export const hang = (): Fault =>
  onArrival(async ({ over }) => {
    await over;
    return 'over';
  });

/** Resets the connection instead of answering. */
export const reset = (): Fault =>
  onArrival(async ({ request }) => {
    resetConnection(request.socket);
    return 'over';
  });

/** Closes the connection in good order instead of answering. */
export const close = (): Fault =>
  onArrival(async ({ request }) => {
    request.socket.destroySoon();
    return 'over';
  });

/** Sends everything before an offset, then closes the connection, or resets it: then the client may lose some of the rest. */
export const cut = (at: number, how: 'close' | 'reset' = 'close'): Fault =>
  stop(at, async ({ request, entry }) => {
    entry.outcome = 'broken';
    if (how === 'reset') resetConnection(request.socket);
    else request.socket.destroySoon();
    return false;
  });

/** Sends everything before an offset, then nothing more, with the connection open. */
export const stall = (at: number): Fault =>
  stop(at, async ({ over }) => {
    await over;
    return false;
  });

/** Limits each such body to its own bandwidth. */
export const slow = (bytesPerSecond: number): Fault =>
  onReply((changed) => {
    changed.bytesPerSecond = bytesPerSecond;
  });

/** Flips the bits of one byte. Length, headers and all other bytes are right. */
export const corrupt = (at: number): Fault => onBody(at, (changed) => changed.corrupt.push(at));

/** Answers a Range with 200 and the whole. */
export const noRange = (): Fault =>
  onReply((changed) => {
    changed.ranges = false;
  });

/** Answers a Range with 206 and as many bytes as were asked for, but from another offset, and says so in Content-Range. */
export const wrongContentRange = (start = 0): Fault =>
  onReply((changed) => {
    changed.rangeStart = start;
  });

/** The content has another ETag than before, so that an If-Range no longer holds. */
export const changedEtag = (etag = '"changed"'): Fault =>
  onReply((changed) => {
    changed.etag = etag;
  });

export const noDigestHeader = (): Fault => withoutHeader('docker-content-digest');

export const wrongDigestHeader = (digest = `sha256:${'0'.repeat(64)}`): Fault =>
  onReply((changed) => {
    changed.headers['docker-content-digest'] = digest;
  });

export const noContentType = (): Fault => withoutHeader('content-type');

/** No Content-Length: a body in chunks, and a HEAD that does not tell the size. */
export const noLength = (): Fault =>
  onReply((changed) => {
    changed.chunked = true;
  });

/** Compresses the body though nobody asked for it. For content that fits in memory. */
export const contentEncodingGzip = (): Fault =>
  onReply((changed) => {
    changed.content &&= literalBlob(gzipSync(changed.content.bytes()));
    changed.headers['content-encoding'] = 'gzip';
    changed.ranges = false;
  });

function withoutHeader(name: string): Fault {
  return onReply((changed) => {
    delete changed.headers[name];
  });
}

/** For gates too: something that happens when a body has come to an offset. False ends the exchange there. */
export function stop(at: number, run: (exchange: Exchange) => Promise<boolean>): Fault {
  return onBody(at, (changed) => changed.stops.push({ at, run }));
}

/** The faults in force, tried in the order in which they were added; all that match happen. */
export class Faults {
  #rules: Rule[] = [];

  add(filter: FaultFilter, fault: Fault): FaultHandle {
    const rule = new Rule(filter, fault, () => {
      this.#rules = this.#rules.filter((other) => other !== rule);
    });
    this.#rules.push(rule);
    return rule;
  }

  /** What happens in the registry's place, or `pass`. */
  async arriving(exchange: Exchange): Promise<Reply | 'pass' | 'over'> {
    for (const rule of this.#rules) {
      if (rule.fault.kind !== 'arrival' || !rule.strikes(exchange)) continue;
      const outcome = await rule.fault.act(exchange);
      if (outcome !== 'pass') return outcome;
    }
    return 'pass';
  }

  replying(exchange: Exchange, answer: Reply): void {
    for (const rule of this.#rules) {
      const { fault } = rule;
      if (fault.kind === 'reply' && reaches(fault.at, exchange, answer) && rule.strikes(exchange)) fault.change(answer);
    }
  }
}

class Rule implements FaultHandle {
  readonly fault: Fault;
  readonly lift: () => void;
  hits = 0;
  readonly #filter: FaultFilter;
  #matched = 0;

  constructor(filter: FaultFilter, fault: Fault, lift: () => void) {
    this.#filter = filter;
    this.fault = fault;
    this.lift = lift;
  }

  /** Counts a request that matches, and says whether this is one it happens to. */
  strikes({ entry }: Exchange): boolean {
    const { times = Infinity, skip = 0 } = this.#filter;
    if (!matches(entry, this.#filter)) return false;
    const struck = this.#matched >= skip && this.hits < times;
    this.#matched++;
    if (struck) this.hits++;
    return struck;
  }

  [Symbol.dispose](): void {
    this.lift();
  }
}

function reaches(at: number | undefined, exchange: Exchange, answer: Reply): boolean {
  if (at === undefined) return true;
  if (exchange.entry.method === 'HEAD') return false;
  const { start, end } = resolveRange(exchange, answer);
  return at >= start && at < end;
}
