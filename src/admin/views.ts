/**
 * What the admin API answers, as JSON. The command line and the web page know these shapes and nothing else of the
 * server. Times are milliseconds since the epoch, sizes and positions bytes; what is not known is absent.
 */
import type { AdoptionProgress } from '../adopt/adoption.ts';
import type { UnkeptPart } from '../cache/contract.ts';
import type { Digest } from '../oci/digest.ts';

/** What keeps the server from serving, by part; empty when nothing does. */
export interface HealthView {
  readonly problems: Readonly<Record<string, string>>;
}

export interface StatisticsView {
  readonly version: string;
  readonly startedAtMs: number;
  readonly repositories: number;
  readonly manifests: number;
  readonly tags: number;
  readonly blobs: number;
  readonly heldBytes: number;
  readonly freeBytes: number | undefined;
  readonly downloads: number;
  /** How much of what the volume's links say is in the index. */
  readonly adoption: AdoptionProgress;
  /** Since the start. */
  readonly upstreams: readonly {
    readonly upstream: string;
    readonly answers: Readonly<Record<string, number>>;
    readonly requests: number;
    readonly sentBytes: number;
    readonly receivedBytes: number;
  }[];
}

export interface ImageView {
  /** `docker.io/library/redis`, without tag. */
  readonly repository: string;
  readonly digest: string;
  readonly mediaType: string;
  readonly tags: readonly string[];
  readonly describedBytes: number;
  readonly heldBytes: number;
  readonly storedAtMs: number;
  readonly lastUsedMs: number;
  readonly pinned: boolean;
  readonly gone: boolean;
}

export interface PageView<T> {
  readonly items: readonly T[];
  /** The `last` of the next page; absent at the end. */
  readonly next: string | undefined;
}

export interface UsageView {
  /** Of the whole store; content that several share is counted once. */
  readonly heldBytes: number;
  readonly rows: readonly UsageRow[];
}

/** Content that several images share is counted for each of them; an index and what it lists are one image. */
export interface UsageRow {
  readonly name: string;
  readonly images: number;
  readonly heldBytes: number;
  readonly lastUsedMs: number;
}

export interface ExplainView {
  /** The complete name of what was asked about. */
  readonly image: string;
  readonly repository: string;
  /** How clients ask for it here. */
  readonly routes: readonly string[];
  readonly upstream: ExplainedUpstream | undefined;
  readonly visibility: { readonly public: boolean; readonly checkedAtMs: number } | undefined;
  readonly tag: ExplainedTag | undefined;
  readonly manifest: ExplainedManifest | undefined;
  /** One sentence: what a pull would get now. */
  readonly verdict: string;
}

export interface ExplainedUpstream {
  readonly name: string;
  readonly url: string;
  readonly circuit: string;
  readonly lastError: string | undefined;
  readonly hasCredentials: boolean;
  readonly exposure: string;
  /** False when `allow` and `deny` keep clients from this repository. */
  readonly allowed: boolean;
}

export interface ExplainedTag {
  readonly name: string;
  /** The manifest that it points at, which is held. */
  readonly digest: Digest | undefined;
  /** Where the upstream has moved it, to a manifest that is not held yet. */
  readonly seenDigest: string | undefined;
  readonly checkedAtMs: number;
  /** `seen`: the upstream has moved it so recently that it is not asked again; `absent`: nothing is held under it. */
  readonly state: 'fresh' | 'seen' | 'due' | 'absent';
  /** When it becomes due, or did; absent when never. */
  readonly dueAtMs: number | undefined;
}

export interface ExplainedManifest {
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
  readonly storedAtMs: number;
  readonly lastUsedMs: number | undefined;
  readonly gone: boolean;
  /** Pins, from here or from the configuration, that keep it. */
  readonly pinnedBy: readonly string[];
  /** Why it is kept, or what may become of it. */
  readonly kept: string;
  readonly members: readonly MemberView[];
}

export interface MemberView {
  readonly digest: string;
  readonly kind: 'blob' | 'manifest';
  readonly mediaType: string;
  readonly size: number;
  readonly platform: string | undefined;
  /** `unearned`: it rests here, but this repository's upstream has not yet answered for it. */
  readonly state: 'held' | 'missing' | 'arriving' | 'unearned';
  /** Of a held manifest in an index: how many of its own parts are held. */
  readonly parts: { readonly held: number; readonly all: number } | undefined;
}

export interface DownloadViewJson {
  readonly repository: string;
  readonly digest: string;
  readonly size: number | undefined;
  readonly arrived: number;
  readonly readers: number;
  readonly state: string;
}

export interface PinsView {
  readonly pins: readonly { readonly pattern: string; readonly from: 'configuration' | 'operator' }[];
}

export interface PinView {
  readonly pattern: string;
  readonly changed: boolean;
}

export interface RefreshView {
  readonly image: string;
  readonly found: boolean;
  readonly digest: string | undefined;
  readonly outcome: string | undefined;
}

export interface PurgeView {
  readonly image: string;
  readonly manifests: number;
  readonly tags: number;
  readonly blobs: number;
  readonly bytes: number;
}

export interface UpstreamView {
  readonly name: string;
  readonly url: string;
  readonly circuit: string;
  readonly lastError: string | undefined;
  readonly limit: { readonly limit: number; readonly remaining: number } | undefined;
  readonly transfers: number;
  readonly hasCredentials: boolean;
}

/** A line of the answer to a pull: one JSON object a line. The last one is `done` or `failed`. */
export type PullLine =
  | {
      readonly type: 'progress';
      readonly digest: string;
      readonly what: 'manifest' | 'blob';
      readonly size: number;
      readonly done: number;
    }
  | {
      readonly type: 'done';
      readonly image: string;
      readonly digest: string;
      readonly manifests: number;
      readonly blobs: number;
      readonly bytes: number;
      readonly fetchedBytes: number;
      /** Blobs that were held and were not what their digests say; only where they were to be verified. */
      readonly damaged: number;
      /** What was there to be served, and is not held in the end. */
      readonly unkept: readonly UnkeptPart[];
    }
  | { readonly type: 'failed'; readonly code: string; readonly message: string };

/** A line of the answer to a collection: one JSON object a line. The last one is `done` or `failed`. */
export type CollectLine =
  | {
      readonly type: 'collected';
      readonly blobs: readonly { readonly digest: string; readonly size: number }[];
      readonly freedBytes: number;
    }
  | {
      readonly type: 'done';
      /** Nothing was done: this is what would be. */
      readonly dryRun: boolean;
      readonly manifests: number;
      readonly blobs: number;
      readonly freedBytes: number;
      /** Blobs that nothing refers to either, too young to go. */
      readonly waiting: number;
    }
  | { readonly type: 'failed'; readonly code: string; readonly message: string };

export interface ConfigRowView {
  readonly key: string;
  readonly value: string;
  readonly origin: string;
}

/** A certificate authority of ours that clients are to trust. */
export interface AuthorityView {
  readonly kind: 'server' | 'interception';
  readonly pem: string;
  /** SHA-256 of the certificate. */
  readonly fingerprint: string;
  readonly validToMs: number;
  /** Absent where there is no other of its kind. */
  readonly signsFromMs: number | undefined;
  /** It signs now. */
  readonly signs: boolean;
}
