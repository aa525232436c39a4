import type { Clock } from '../observe/clock.ts';
import { isDigest } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { manifestBytesMax, parseManifest } from '../oci/manifest.ts';
import type { Manifest } from '../oci/manifest.ts';
import { manifestAccept } from '../oci/media-types.ts';
import { isDigestReference } from '../oci/reference.ts';
import type { Reference, RepositoryName, Tag } from '../oci/reference.ts';
import type { Page, PageRequest, Referrer } from '../oci/repository.ts';
import { parseContentRange, parseLength } from './content-range.ts';
import type {
  BlobRequest,
  BlobSink,
  ClientIdentity,
  Identity,
  Proven,
  Resolution,
  UpstreamRepository,
} from './contract.ts';
import { isAbsent } from './endpoint.ts';
import type { Answer, Ask, Endpoint } from './endpoint.ts';
import type { Receiver } from './exchange.ts';
import { invalidFailure } from './failure.ts';
import { descriptorIn } from './head-answer.ts';
import type { Bandwidth, Semaphore } from './limits.ts';
import { listReferrers, listTags } from './lists.ts';
import { firstOf, mainOrElse, mirrorsFor, withoutValidator } from './mirrors.ts';
import type { Mirror } from './mirrors.ts';
import { pacedSink } from './paced-sink.ts';
import { oddBody, rangeHeaders, Transfer } from './transfer.ts';
import type { Progress } from './transfer.ts';

/** What a repository needs of its upstream, as configured at the moment. */
export interface Sources {
  readonly main: Endpoint;
  /** Asked first for bytes; those with `resolve` also where a tag points. */
  readonly mirrors: readonly Mirror[];
  readonly transfers: Semaphore;
  readonly requests: Semaphore;
  readonly bandwidth: Bandwidth;
  readonly clock: Clock;
}

/** The upstream, as its repositories see it. */
export interface Owner {
  /** Asked anew for every call, so that changed settings count at once. */
  sources(): Sources;
  isAiling(): boolean;
  /** How a call ended; `undefined` is well. */
  note(error: unknown): void;
}

export function upstreamRepository(name: RepositoryName, owner: Owner): UpstreamRepository {
  return new Repository(name, owner);
}

class Repository implements UpstreamRepository {
  readonly #name: RepositoryName;
  readonly #owner: Owner;

  constructor(name: RepositoryName, owner: Owner) {
    this.#name = name;
    this.#owner = owner;
  }

  get isAiling(): boolean {
    return this.#owner.isAiling();
  }

  resolve(reference: Reference, as: Identity, { direct = false } = {}): Promise<Resolution | undefined> {
    return this.#small(({ main, mirrors }) =>
      firstOf(direct ? [] : mirrorsFor(reference, mirrors), main, as, (endpoint, identity) =>
        this.#resolveAt(endpoint, reference, identity),
      ),
    );
  }

  manifest(reference: Reference, as: Identity): Promise<Manifest | undefined> {
    return this.#small((sources) =>
      firstOf(mirrorsFor(reference, sources.mirrors), sources.main, as, (endpoint, identity) =>
        this.#manifestAt(endpoint, reference, identity),
      ),
    );
  }

  prove(reference: Reference, object: 'manifest' | 'blob', as: ClientIdentity): Promise<Proven | undefined> {
    return this.#small(({ main }) => this.#proveAt(main, reference, object, as));
  }

  blobSize(digest: Digest, as: Identity, { direct = false } = {}): Promise<number | undefined> {
    return this.#small(({ main, mirrors }) =>
      mainOrElse(main, direct ? [] : mirrors, as, (endpoint, identity) => this.#blobSizeAt(endpoint, digest, identity)),
    );
  }

  async blob(digest: Digest, request: BlobRequest, sink: BlobSink, as: Identity): Promise<boolean> {
    const sources = this.#owner.sources();
    using place = await sources.transfers.acquire(request.signal, request.cold === true ? 'cold' : 'warm');
    const paced = request.paced === true ? pacedSink(sink, place, sources.clock) : sink;
    return await this.#noted(this.#fetch(digest, request, { sink: paced, sources, as }));
  }

  async #fetch(digest: Digest, request: BlobRequest, how: Omit<Transport, 'progress'>): Promise<boolean> {
    const { sources } = how;
    const progress: Progress = { position: request.start, begun: false, left: false, sinkFailed: false };
    const asked = { ...request, etag: undefined };
    const atMirror = { ...how, sink: withoutValidator(how.sink), progress, as: 'anonymous' } as const;
    for (const { endpoint } of request.direct === true ? [] : sources.mirrors) {
      try {
        if (await this.#blobAt(endpoint, digest, asked, atMirror)) return true;
      } catch (error) {
        if (!(error instanceof RegistryError) || progress.sinkFailed) throw error;
      }
    }
    return await this.#blobAt(sources.main, digest, request, { ...how, progress });
  }

  tags(page: PageRequest, as: Identity): Promise<Page<Tag> | undefined> {
    return this.#small(({ main }) => listTags(main, this.#name, page, as));
  }

  referrers(subject: Digest, artifactType: string | undefined, as: Identity): Promise<readonly Referrer[] | undefined> {
    return this.#small(({ main }) => listReferrers(main, this.#name, subject, artifactType, as));
  }

  async #small<T>(act: (sources: Sources) => Promise<T>): Promise<T> {
    const sources = this.#owner.sources();
    using _place = await sources.requests.acquire();
    return await this.#noted(act(sources));
  }

  async #noted<T>(work: Promise<T>): Promise<T> {
    try {
      const result = await work;
      this.#owner.note(undefined);
      return result;
    } catch (error) {
      this.#owner.note(error);
      throw error;
    }
  }

  /** HEAD is a hint: many registries, and what stands before them, get it wrong. What it denies is asked with GET. */
  async #resolveAt(endpoint: Endpoint, reference: Reference, as: Identity): Promise<Resolution | undefined> {
    const answer = await endpoint.peek(this.#manifestAsk('HEAD', reference, as));
    const { status, headers } = answer.head;
    if (status === 200) {
      const descriptor = descriptorIn(headers, reference);
      if (descriptor !== undefined) return { descriptor, manifest: undefined };
    } else if (![401, 403, 404, 405, 410].includes(status)) {
      throw endpoint.fail(answer);
    }
    const manifest = await this.#manifestAt(endpoint, reference, as);
    if (manifest === undefined) return undefined;
    const { digest, size, mediaType } = manifest;
    return { descriptor: { digest, size, mediaType }, manifest };
  }

  async #proveAt(
    endpoint: Endpoint,
    reference: Reference,
    object: 'manifest' | 'blob',
    as: ClientIdentity,
  ): Promise<Proven | undefined> {
    const isBlob = object === 'blob' && isDigestReference(reference);
    const ask = isBlob ? this.#blobAsk(reference, as) : this.#manifestAsk('HEAD', reference, as);
    const answer = await endpoint.peek({ ...ask, method: 'HEAD', small: true });
    const { status, headers } = answer.head;
    // A registry that gives a link to a blob has let the client in, whatever there is at the link's end.
    if (answer.question.role === 'link') return { descriptor: undefined };
    if (isAbsent(answer)) return undefined;
    if (status !== 200) throw endpoint.fail(answer);
    return { descriptor: isBlob ? undefined : descriptorIn(headers, reference) };
  }

  async #manifestAt(endpoint: Endpoint, reference: Reference, as: Identity): Promise<Manifest | undefined> {
    const answer = await endpoint.read(this.#manifestAsk('GET', reference, as), manifestBytesMax);
    const { head, question, body } = answer;
    if (isAbsent(answer)) return undefined;
    if (head.status !== 200) throw endpoint.fail(answer);
    const odd = oddBody(head.headers);
    if (odd !== undefined) throw invalidFailure(question, odd);
    const named = head.headers['docker-content-digest'];
    const claimed = typeof named === 'string' && isDigest(named) ? named : undefined;
    try {
      return parseManifest(
        body,
        head.headers['content-type'] ?? '',
        isDigestReference(reference) ? reference : claimed,
      );
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      throw invalidFailure(question, `sent what cannot be believed: ${error.message}`, { cause: error });
    }
  }

  async #blobSizeAt(endpoint: Endpoint, digest: Digest, as: Identity): Promise<number | undefined> {
    const ask = { ...this.#blobAsk(digest, as), small: true };
    const hint = await endpoint.peek({ ...ask, method: 'HEAD' });
    const size = parseLength(hint.head.headers['content-length']);
    if (hint.head.status === 200 && size !== undefined && oddBody(hint.head.headers) === undefined) return size;
    if (![200, 401, 403, 404, 405, 410].includes(hint.head.status)) throw endpoint.fail(hint);
    const answer = await endpoint.send({ ...ask, headers: { range: 'bytes=0-0' } }, headOnly);
    const { status, headers } = answer.head;
    if (isAbsent(answer)) return undefined;
    if (status !== 200 && status !== 206) throw endpoint.fail(answer);
    const odd = oddBody(headers);
    if (odd !== undefined) throw invalidFailure(answer.question, odd);
    const range = status === 206 ? parseContentRange(headers['content-range']) : undefined;
    const found = range === undefined ? parseLength(headers['content-length']) : range.size;
    if (found === undefined) throw invalidFailure(answer.question, 'does not tell the size');
    return found;
  }

  async #blobAt(endpoint: Endpoint, digest: Digest, request: BlobRequest, how: Transport): Promise<boolean> {
    const { progress, sink, sources } = how;
    const { bandwidth, clock } = sources;
    for (let first = true; ; first = false) {
      const transfer = new Transfer({ request, progress, sink, bandwidth, clock });
      const ask: Ask = {
        ...this.#blobAsk(digest, how.as),
        headers: rangeHeaders(request, progress),
        signal: request.signal,
      };
      const answer = await endpoint.send(ask, transfer);
      const { status } = answer.head;
      // A signed link that is refused has expired: the registry gives another.
      if (first && answer.question.role === 'link' && (status === 401 || status === 403)) continue;
      return delivered(endpoint, answer, transfer);
    }
  }

  #manifestAsk(method: 'GET' | 'HEAD', reference: Reference, as: Identity): Ask {
    const separator = isDigestReference(reference) ? '@' : ':';
    return {
      path: `${this.#name}/manifests/${reference}`,
      method,
      headers: { accept: manifestAccept },
      kind: 'manifest',
      subject: `manifest ${this.#name}${separator}${reference}`,
      repository: this.#name,
      as,
      small: true,
    };
  }

  #blobAsk(digest: Digest, as: Identity): Ask {
    return {
      path: `${this.#name}/blobs/${digest}`,
      method: 'GET',
      kind: 'blob',
      subject: `blob ${this.#name}@${digest}`,
      repository: this.#name,
      as,
      small: false,
    };
  }
}

interface Transport {
  readonly sink: BlobSink;
  readonly progress: Progress;
  readonly sources: Sources;
  readonly as: Identity;
}

/** Whether all that was asked for has arrived; false when it is not there. */
function delivered(endpoint: Endpoint, answer: Answer, transfer: Transfer): boolean {
  const { head, question } = answer;
  if (transfer.lie !== undefined) throw invalidFailure(question, transfer.lie, { upstreamStatus: head.status });
  if (isAbsent(answer)) return false;
  if (head.status === 416) throw invalidFailure(question, 'has no such range of bytes', { upstreamStatus: 416 });
  if (head.status !== 200 && head.status !== 206) throw endpoint.fail(answer);
  const { missing } = transfer;
  if (missing !== undefined) throw invalidFailure(question, `sent ${missing} bytes less than it promised`);
  return true;
}

const headOnly: Receiver = {
  head: ({ status }) => (status === 200 || status === 206 ? 'leave' : 'drain'),
  data: () => true,
};
