/**
 * Blobs that are somewhere else: a chain of redirects that ends at a signed URL, often of another origin.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { refusal, reply } from './upstream-reply.ts';
import type { Exchange, Reply } from './upstream-reply.ts';

/** Where one hop points: here by a relative or an absolute URL, or to the content delivery network. */
export type Hop = 'relative' | 'absolute' | 'cdn';

export interface RedirectOptions {
  /** The hops from the registry to the bytes. Default `['cdn']`. */
  readonly hops?: readonly Hop[];
  /** Default 307. */
  readonly status?: 301 | 302 | 303 | 307 | 308;
  /** How long a signed URL is good. Default 60,000. */
  readonly signatureMs?: number;
}

export class Redirects {
  readonly #hops: readonly Hop[];
  readonly #status: number;
  readonly #signatureMs: number;
  readonly #now: () => number;
  readonly #cdn: () => string;
  readonly #secret = randomBytes(16);

  /** @param now milliseconds since the epoch, by which signatures expire */
  constructor(options: RedirectOptions, now: () => number, cdn: () => string) {
    this.#hops = options.hops ?? ['cdn'];
    this.#status = options.status ?? 307;
    this.#signatureMs = options.signatureMs ?? 60_000;
    this.#now = now;
    this.#cdn = cdn;
  }

  /** The redirect with which the registry answers for a blob that it has. */
  begin(exchange: Exchange, digest: string): Reply {
    return this.#hop(exchange, digest, 0);
  }

  /**
   * For a request to a redirected URL: the next redirect, a refusal, or the digest of the blob to serve; `undefined` if
   * this is no such URL. The network refuses any Authorization beside its signature, as S3 and its likes do.
   */
  follow(exchange: Exchange): Reply | string | undefined {
    const [, position, digest] = /^\/data\/(\d+)\/(sha256:[0-9a-f]{64})$/.exec(exchange.url.pathname) ?? [];
    if (position === undefined || digest === undefined) return undefined;
    const { entry, url } = exchange;
    if (entry.host === 'cdn' && entry.authorization !== 'none') return refusal(400, 'ONLY_ONE_AUTH_MECHANISM_ALLOWED');
    const expires = url.searchParams.get('expires') ?? '';
    if (url.searchParams.get('signature') !== this.#sign(position, digest, expires))
      return refusal(403, 'SIGNATURE_DOES_NOT_MATCH');
    if (Number(expires) <= this.#now()) return refusal(403, 'REQUEST_HAS_EXPIRED');
    return Number(position) === this.#hops.length ? digest : this.#hop(exchange, digest, Number(position));
  }

  #hop({ listener }: Exchange, digest: string, position: number): Reply {
    const next = String(position + 1);
    const expires = String(this.#now() + this.#signatureMs);
    const path = `/data/${next}/${digest}?expires=${expires}&signature=${this.#sign(next, digest, expires)}`;
    const hop = this.#hops[position];
    const origin = hop === 'relative' ? '' : hop === 'absolute' ? listener.origin : this.#cdn();
    return reply(this.#status, undefined, { location: origin + path });
  }

  #sign(position: string, digest: string, expires: string): string {
    return createHmac('sha256', this.#secret).update(`${position} ${digest} ${expires}`).digest('hex');
  }
}
