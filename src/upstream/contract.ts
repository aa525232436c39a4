import type { Duplex } from 'node:stream';
import type { Digest } from '../oci/digest.ts';
import type { Descriptor, Manifest } from '../oci/manifest.ts';
import type { Reference, RepositoryName, Tag } from '../oci/reference.ts';
import type { Page, PageRequest, Referrer, Sealed } from '../oci/repository.ts';
import type { ByteStream } from '../oci/upload.ts';

/**
 * The only way out of the building. Absence (a 404 or 410 that was believed) is `undefined`; every other failure is a
 * RegistryError with an `UPSTREAM_*` code, the upstream's name and, where there was one, its status and Retry-After.
 * Deadlines, redirects, tokens, retries of what is safe to retry, the circuit and the concurrency and bandwidth limits
 * are dealt with inside. Nothing here caches content.
 */
export interface Upstreams {
  /** By a name that a request used (`docker.io`, `index.docker.io`, `team.gcr.io`); `undefined` when it is not known. */
  find(host: string): Upstream | undefined;
  /** Every upstream named in the table or used so far. */
  list(): readonly Upstream[];
  close(): Promise<void>;
}

export interface Upstream {
  /** Its canonical name: `docker.io`. */
  readonly name: string;
  /** For people. */
  readonly url: string;
  /** True when requests of ours carry credentials, so that what we read may not be public. */
  readonly hasCredentials: boolean;
  repository(name: RepositoryName): UpstreamRepository;
  /**
   * Passes on what a client wants of the registry or its token service, with the client's own credentials and none of
   * ours. Whatever the answer is, it is no failure; it follows no redirect.
   * @throws RegistryError when there is no answer; the signal's reason
   */
  relay(request: RelayRequest): Promise<RelayAnswer>;
  /**
   * The same for a connection that is to speak something else from now on (RFC 9110, 7.8).
   * @throws RegistryError when the other end does not want that, or gives no answer
   */
  upgrade(request: UpgradeRequest): Promise<Upgraded>;
  /** What `entrepot check` and the admin page show: a ping, the token flow, the circuit, the limit, the mirrors. */
  check(): Promise<UpstreamCheck>;
  status(): UpstreamStatus;
}

export interface RelayRequest {
  /** As the client has it, without the default port: one of the upstream's names, or a token service's. */
  readonly host: string;
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** Only what is for the other end; no two of the same name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ByteStream | undefined;
  readonly signal: AbortSignal;
}

export interface UpgradeRequest extends Omit<RelayRequest, 'method' | 'body'> {
  /** What to speak: `websocket`. */
  readonly protocol: string;
}

export interface Upgraded {
  readonly headers: RelayAnswer['headers'];
  readonly socket: Duplex;
}

export interface RelayAnswer {
  readonly status: number;
  /** In the order in which they came, repeated ones too. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Asked for no faster than somebody takes them. To be read to the end, or cancelled. */
  readonly chunks: AsyncIterable<Uint8Array>;
  cancel(): void;
}

export interface UpstreamStatus {
  readonly name: string;
  readonly url: string;
  readonly circuit: 'closed' | 'open';
  readonly lastError: string | undefined;
  readonly limit: { readonly limit: number; readonly remaining: number } | undefined;
  readonly transfers: number;
}

export interface UpstreamCheck extends UpstreamStatus {
  /** Where it has some: each was pinged as anybody. */
  readonly mirrors?: readonly MirrorStatus[];
}

export interface MirrorStatus {
  readonly url: string;
  /** `undefined`: it answers as a registry does. */
  readonly lastError: string | undefined;
}

/** As whom we ask: with the configured credentials, if any, as anybody, or in the name of a client of the upstream's. */
export type Identity = 'own' | 'anonymous' | ClientIdentity;

/** What such a client says goes to the upstream as it is, and is refused as the client's own matter. */
export interface ClientIdentity {
  /** Tells clients apart, and nothing of what they say. */
  readonly id: string;
  readonly authorization: Sealed | undefined;
}

export interface UpstreamRepository {
  /** Whether an origin of the upstream's has failed and not answered since: an answer may take as long as the deadlines. */
  readonly isAiling: boolean;
  /**
   * Where a tag points: a HEAD; on 401, 403, 404, 405, 410 or without a digest a GET, whose manifest comes along so that it
   * is not asked for twice. What a mirror has proves nothing of the upstream's repository: who wants a proof asks `direct`.
   */
  resolve(reference: Reference, as: Identity, how?: Directness): Promise<Resolution | undefined>;
  /**
   * Whether a client may read it: one HEAD in its name, and the upstream's own. `undefined` when it is not there.
   * @throws RegistryError `UNAUTHORIZED`, `DENIED` (origin `client`) when the client is refused
   */
  prove(reference: Reference, object: 'manifest' | 'blob', as: ClientIdentity): Promise<Proven | undefined>;
  /** One GET; verified against the digest when asked by one. */
  manifest(reference: Reference, as: Identity): Promise<Manifest | undefined>;
  /**
   * Size in bytes by HEAD (or a GET that is cut short where HEAD is refused); a mirror's word while the upstream cannot be
   * asked, unless it is to be `direct`.
   */
  blobSize(digest: Digest, as: Identity, how?: Directness): Promise<number | undefined>;
  /**
   * One transfer of a blob or of a part of it. Resolves to true when all that was asked for has arrived or the sink had
   * enough, to false when the upstream does not have it; throws when it broke off, whatever had arrived by then having
   * been given to the sink.
   * @throws RegistryError `UPSTREAM_INVALID` with upstreamStatus 416 when there is no such range; what the sink threw;
   *   the signal's reason
   */
  blob(digest: Digest, request: BlobRequest, sink: BlobSink, as: Identity): Promise<boolean>;
  tags(page: PageRequest, as: Identity): Promise<Page<Tag> | undefined>;
  /** `undefined` when the upstream has no referrers API. */
  referrers(subject: Digest, artifactType: string | undefined, as: Identity): Promise<readonly Referrer[] | undefined>;
}

export interface Resolution {
  readonly descriptor: Descriptor;
  readonly manifest: Manifest | undefined;
}

export interface Proven {
  /** Of a manifest, as far as the upstream told. */
  readonly descriptor: Descriptor | undefined;
}

export interface Directness {
  /** Ask the upstream itself, not its mirrors: for a proof, or after bytes that were not what their digest says. */
  readonly direct?: boolean;
}

export interface BlobRequest extends Directness {
  /** First byte wanted. */
  readonly start: number;
  /** One past the last byte wanted; `undefined` asks for all there is. */
  readonly end: number | undefined;
  /** The validator of an earlier answer, sent as If-Range (RFC 9110, 13.1.5). */
  readonly etag: string | undefined;
  readonly signal: AbortSignal;
  /** Nobody has a byte of the blob yet: its turn is before that of further parts of others. */
  readonly cold?: boolean;
  /** A reader may hold the sink back for as long as he likes; meanwhile others are transferred in its place. */
  readonly paced?: boolean;
}

export interface BlobSink {
  /**
   * The answer's head, before its first byte. For a part the upstream has confirmed the start (206 with Content-Range);
   * an upstream that ignores Range answers from 0. Return false to break off without an error.
   */
  head(head: BlobHead): boolean;
  /** A promise holds the upstream back until it resolves. Return false (or a promise of it) to break off. The chunk is the sink's to keep. */
  data(chunk: Uint8Array): boolean | Promise<boolean>;
}

export interface BlobHead {
  /** Position of the first byte that follows. */
  readonly start: number;
  /** Size of the whole blob in bytes, when the answer tells. */
  readonly size: number | undefined;
  readonly etag: string | undefined;
  /** The upstream honours Range. */
  readonly ranges: boolean;
}
