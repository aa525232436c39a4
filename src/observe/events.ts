import type { Digest } from '../oci/digest.ts';
import type { ErrorCode, Origin } from '../oci/errors.ts';
import type { Outcome } from '../oci/repository.ts';

/**
 * Everything worth telling, as one closed union. A log line and a metric follow from the same event, so they cannot
 * disagree. Secrets have no field here. Durations are milliseconds, sizes bytes.
 */
export type Event =
  | RequestDone
  | { readonly type: 'server.listening'; readonly address: string; readonly tls: boolean }
  | { readonly type: 'server.stopping'; readonly reason: string }
  | { readonly type: 'server.stopped' }
  | { readonly type: 'config.notice'; readonly message: string }
  /** A wrong password. `user` is one of those who exist, or left out: what stands in its place may be a password. */
  | { readonly type: 'login.refused'; readonly clientAddress: string; readonly user: string | undefined }
  | { readonly type: 'config.reloaded' }
  | { readonly type: 'config.invalid'; readonly message: string }
  | UpstreamRequest
  | {
      readonly type: 'upstream.circuit';
      readonly upstream: string;
      readonly state: 'open' | 'closed';
      readonly reason: string;
    }
  | { readonly type: 'upstream.limit'; readonly upstream: string; readonly limit: number; readonly remaining: number }
  | {
      readonly type: 'upstream.lied';
      readonly upstream: string;
      readonly repository: string;
      readonly digest: Digest;
      readonly reason: string;
    }
  | {
      readonly type: 'cache.answered';
      readonly upstream: string;
      readonly object: 'manifest' | 'blob' | 'tags' | 'referrers';
      readonly outcome: Outcome;
    }
  | {
      readonly type: 'cache.stale';
      readonly upstream: string;
      readonly repository: string;
      readonly reference: string;
      readonly reason: string;
    }
  | DownloadEvent
  | {
      readonly type: 'cache.evicted';
      readonly repository: string;
      readonly digest: Digest;
      readonly bytes: number;
      readonly reason: string;
    }
  | {
      readonly type: 'collect.ended';
      readonly manifests: number;
      readonly blobs: number;
      readonly bytes: number;
      readonly ms: number;
    }
  /** A client wanted to be connected to a host that is not intercepted. */
  | { readonly type: 'proxy.passed'; readonly host: string; readonly how: 'tunnelled' | 'refused' }
  /** A client ended the handshake at our certificate for that host. */
  | { readonly type: 'proxy.distrusted'; readonly host: string; readonly clientAddress: string }
  | {
      readonly type: 'cache.size';
      /** What the limit is about: not what is hosted as well. */
      readonly bytes: number;
      readonly limitBytes: number;
      /** Of everything in the store. */
      readonly heldBytes: number;
    }
  | { readonly type: 'cache.quarantined'; readonly digest: Digest; readonly reason: string }
  | {
      readonly type: 'upload.expired';
      readonly repository: string;
      readonly upload: string;
      readonly bytes: number;
      /** It was only said. */
      readonly dryRun: boolean;
    }
  | NoticeEvent
  | {
      readonly type: 'health.changed';
      readonly check: string;
      readonly well: boolean;
      readonly problem: string | undefined;
    }
  | { readonly type: 'store.failed'; readonly operation: string; readonly code: string; readonly message: string }
  | { readonly type: 'task.failed'; readonly task: string; readonly message: string }
  | { readonly type: 'adoption.trouble'; readonly path: string; readonly reason: string }
  | AdoptionProgressed
  | CertificateEvent
  | { readonly type: 'admin.acted'; readonly action: string; readonly target: string; readonly requestId: string }
  /** Not what an operator asked wrongly. `target` is as it was asked for. */
  | {
      readonly type: 'admin.failed';
      readonly action: string;
      readonly target: string;
      readonly requestId: string;
      readonly code: string;
      readonly message: string;
    };

/** One request answered: the access log's line, and why it went as it did. */
/**
 * How a request came to be for a repository: its registry was not named, named by `ns`, in the path, as our own; or the
 * client believes to talk to that registry, through a tunnel, by a name that leads here, or with a request to a proxy.
 */
export type Door = 'mirror' | 'ns' | 'path' | 'own' | 'tunnel' | 'sni' | 'host' | 'absolute';

export interface RequestDone {
  readonly type: 'request.done';
  readonly requestId: string;
  readonly method: string;
  /** Path and query as asked, at most 2,048 characters. */
  readonly url: string;
  readonly status: number;
  readonly clientAddress: string;
  readonly userAgent: string;
  readonly httpVersion: string;
  /** Who has proved to be that user: never a name that was merely claimed, for it may be a password. */
  readonly user: string | undefined;
  readonly upstream: string | undefined;
  readonly repository: string | undefined;
  readonly reference: string | undefined;
  readonly outcome: Outcome | undefined;
  readonly errorCode: ErrorCode | undefined;
  readonly errorMessage: string | undefined;
  readonly origin: Origin | undefined;
  /** `undefined` where no repository was asked for. */
  readonly door: Door | undefined;
  /** Body bytes handed to the client. */
  readonly bytes: number;
  readonly firstByteMs: number;
  readonly ms: number;
  /** False when the client went away, or we cut the body, before its end. */
  readonly complete: boolean;
}

/** One request of ours to an upstream, its token service or where it redirected us. */
export interface UpstreamRequest {
  readonly type: 'upstream.request';
  readonly upstream: string;
  readonly kind: 'ping' | 'token' | 'manifest' | 'blob' | 'tags' | 'referrers' | 'relay';
  readonly method: string;
  /** 0 when there was no answer. */
  readonly status: number;
  readonly ms: number;
  /** Body bytes received. */
  readonly bytes: number;
  readonly failure: ErrorCode | undefined;
}

export interface DownloadEvent {
  readonly type: 'download';
  readonly step: 'started' | 'resumed' | 'following' | 'stored' | 'unstored' | 'suspended' | 'failed';
  readonly upstream: string;
  readonly repository: string;
  readonly digest: Digest;
  /** Known so far. */
  readonly bytes: number;
  readonly ms: number;
  readonly reason?: string;
}

/** What becomes of notifications. `waiting` is how many are in the endpoint's queue. */
export type NoticeEvent =
  | {
      readonly type: 'notice.taken';
      readonly endpoint: string;
      readonly waiting: number;
    }
  | {
      readonly type: 'notice.refused';
      readonly endpoint: string;
      readonly problem: string;
      /** In a row. */
      readonly failures: number;
      readonly waiting: number;
    }
  | {
      readonly type: 'notices.piling';
      readonly endpoint: string;
      readonly waiting: number;
      readonly waitingMax: number;
    }
  | { readonly type: 'notices.dropped'; readonly endpoint: string; readonly count: number; readonly waiting: number }
  | { readonly type: 'notices.forgotten'; readonly endpoint: string; readonly waiting: number };

/** How far what the volume's links say is in the index. */
export interface AdoptionProgressed {
  readonly type: 'adoption.progress';
  readonly state: string;
  readonly repositories: number;
  readonly manifests: number;
  readonly blobs: number;
  /** Links of content that is not there. */
  readonly dangling: number;
  /** What could not be understood. */
  readonly troubles: number;
  readonly ms: number;
}

/** `certificate` is one of few: `http.tls`, `server CA`, `interception CA`, a name of http.tls.letsencrypt. */
export type CertificateEvent =
  | { readonly type: 'certificate.obtained'; readonly certificate: string; readonly until: string }
  | {
      readonly type: 'certificate.failed';
      readonly certificate: string;
      readonly message: string;
      readonly againInMs: number;
    }
  | { readonly type: 'certificate.held'; readonly certificate: string; readonly validToMs: number }
  | {
      readonly type: 'certificate.expiring';
      readonly certificate: string;
      /** The day, as 2030-12-31. */
      readonly on: string;
      /** Until then; negative when it is over. */
      readonly days: number;
      readonly advice: string;
    }
  | {
      readonly type: 'authority.renewed';
      readonly authority: 'server' | 'interception';
      readonly fingerprint: string;
      /** When it begins to sign. */
      readonly from: string;
    };

export interface Observer {
  emit(event: Event): void;
}

/** Tells nobody: for tests and for tools that only need the code below. */
export const silent: Observer = { emit: () => {} };
