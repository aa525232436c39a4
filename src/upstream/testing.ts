import assert from 'node:assert/strict';
import type { UpstreamConfig } from '../config/config.ts';
import { plainUpstream } from '../config/upstream-defaults.ts';
import { systemClock } from '../observe/clock.ts';
import type { Clock } from '../observe/clock.ts';
import type { Event } from '../observe/events.ts';
import { isDigest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { parseRepositoryName } from '../oci/reference.ts';
import type { BlobHead, BlobRequest, Identity, Upstream, UpstreamRepository } from './contract.ts';
import { createUpstreams } from './upstreams.ts';
import type { ReconfigurableUpstreams } from './upstreams.ts';

/** For this room's tests: one upstream, `reg.test`, and what it told. */
export interface Rig extends AsyncDisposable {
  readonly upstreams: ReconfigurableUpstreams;
  readonly upstream: Upstream;
  readonly repository: UpstreamRepository;
  readonly events: Event[];
}

export interface RigOptions {
  readonly clock?: Clock;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Default `library/redis`. */
  readonly repository?: string;
}

export function makeRig(url: string, given: Partial<UpstreamConfig> = {}, options: RigOptions = {}): Rig {
  const events: Event[] = [];
  const upstreams = createUpstreams({
    upstreams: [plainUpstream('reg.test', { url, ...given })],
    observer: { emit: (event) => void events.push(event) },
    clock: options.clock ?? systemClock,
    env: options.env ?? {},
    version: '1.2.3',
  });
  const upstream = upstreams.find('reg.test');
  assert.ok(upstream);
  return {
    upstreams,
    upstream,
    repository: upstream.repository(parseRepositoryName(options.repository ?? 'library/redis')),
    events,
    [Symbol.asyncDispose]: () => upstreams.close(),
  };
}

export interface Fetched {
  readonly found: boolean;
  readonly heads: readonly BlobHead[];
  readonly bytes: Buffer;
}

/** A blob, or a part of it, into memory. What arrived before a failure is in `into`. */
export async function fetchBlob(
  repository: UpstreamRepository,
  digest: string,
  request: Partial<BlobRequest> = {},
  as: Identity = 'anonymous',
  into: Uint8Array[] = [],
): Promise<Fetched> {
  assert.ok(isDigest(digest));
  const heads: BlobHead[] = [];
  const whole = { start: 0, end: undefined, etag: undefined, signal: new AbortController().signal };
  const found = await repository.blob(
    digest,
    { ...whole, ...request },
    {
      head: (head) => heads.push(head) > 0,
      data: (chunk) => into.push(chunk) > 0,
    },
    as,
  );
  return { found, heads, bytes: Buffer.concat(into) };
}

/** The RegistryError that something ends with. */
export async function failureOf(work: Promise<unknown>): Promise<RegistryError> {
  const error: unknown = await work.then(
    (value) => assert.fail(`it succeeded: ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  if (error instanceof RegistryError) return error;
  throw error;
}
