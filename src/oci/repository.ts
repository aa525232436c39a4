import type { BlobReader } from './blob.ts';
import type { Digest, DigestAlgorithm } from './digest.ts';
import type { Descriptor, Manifest, ManifestContent } from './manifest.ts';
import type { Reference, RepositoryName, Tag } from './reference.ts';
import type { Upload, UploadId, UploadStatus } from './upload.ts';

/** Which repository is meant: one of an upstream, by the upstream's name (`docker.io`), or a hosted one. */
export interface RepositoryKey {
  readonly upstream: string | undefined;
  readonly name: RepositoryName;
}

/** As people and rules write it: `docker.io/library/redis`, `local/app`. */
export function fullName({ upstream, name }: RepositoryKey): string {
  return upstream === undefined ? name : `${upstream}/${name}`;
}

/** What a rule or a token can allow somebody to do with a repository. */
export type Action = 'pull' | 'push' | 'delete';

/** Who asks. Anonymous is a subject like any other; the operator comes through the admin socket alone. */
export type Asker =
  | {
      readonly kind: 'anonymous';
      readonly grants?: Grants | undefined;
      /** What he brought to prove that he is somebody is not believed: a password, a token. */
      readonly refused?: string | undefined;
      readonly presents?: Presented | undefined;
    }
  | {
      readonly kind: 'user';
      readonly name: string;
      readonly groups: readonly string[];
      readonly grants?: Grants | undefined;
      readonly presents?: Presented | undefined;
    }
  | { readonly kind: 'operator' };

/** What the token of a request is good for: never more than its bearer may, often less. */
export interface Grants {
  /** @param repository its full name */
  allows(action: Action, repository: string): boolean;
  /** It is good for the list of all repositories. */
  readonly catalog: boolean;
}

/** What somebody who believes to talk to an upstream says to it about himself. It is for that upstream alone. */
export interface Presented {
  /** The upstream's name. */
  readonly upstream: string;
  /** By which name he believes to talk to it. */
  readonly host: string;
  /** Undefined when he says nothing. */
  readonly authorization: Sealed | undefined;
}

/** A text that is shown only where it is used: config's Secret is one. */
export interface Sealed {
  reveal(): string;
}

/** What is asked for, as far as it matters for who may have it. */
export type Wanted =
  | { readonly object: 'manifest'; readonly reference: Reference }
  | { readonly object: 'blob'; readonly reference: Digest }
  | { readonly object: 'list' };

/** What a request asks for besides content. */
export interface Ask {
  readonly asker: Asker;
  /** The client insists on the upstream's word (`Cache-Control: no-cache`, RFC 9111, 5.2.1.4). */
  readonly revalidate: boolean;
  /** Names the request in logs and in error messages. */
  readonly requestId: string;
  /** The client's request, where one came and others may be told what it did. */
  readonly sent?: SentRequest;
}

/** A client's request, as others are told of it. */
export interface SentRequest {
  readonly method: string;
  readonly host: string;
  /** Of the client, with its port unless a proxy hides that. */
  readonly address: string;
  readonly userAgent: string;
  /** What the client calls the repository that it asks for. */
  readonly repository: string;
  /** Where the client finds something of that repository: `manifests/sha256:...`. */
  urlOf(object: string): string;
}

/**
 * What happened on the way, told to the client as `X-Cache`: `hit` was held; `revalidated` was held and the upstream
 * confirmed it for this request; `stale` was held and the upstream could not be asked; `miss` was fetched for this
 * request; `coalesced` was being fetched already.
 */
export type Outcome = 'hit' | 'miss' | 'stale' | 'revalidated' | 'coalesced';

export interface Answer<T> {
  readonly value: T;
  readonly outcome: Outcome;
  /** Seconds since the upstream last vouched for it (RFC 9111, 5.1); 0 for what is hosted or just fetched. */
  readonly ageSeconds: number;
  /** Where the same can be said again at once. */
  readonly again?: Again<T>;
}

/**
 * The answer to the same question by somebody else, without waiting: as long as everything that it was found from is as it
 * was. Rules and clocks are looked at each time. `undefined`: ask anew, and hear why.
 */
export type Again<T> = (asker: Asker) => Answer<T> | undefined;

export interface PageRequest {
  /** At most so many entries. */
  readonly limit: number;
  /** Only entries that come after this one, in byte order. */
  readonly last: string | undefined;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** The `last` of the next page; `undefined` at the end. */
  readonly next: string | undefined;
}

/** An entry of a referrers list (distribution specification, "Listing Referrers"). */
export interface Referrer extends Descriptor {
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
}

/**
 * A repository to read from. Handlers cannot tell a hit from a miss. Absence is `undefined`; failure is a
 * RegistryError.
 */
export interface Repository {
  readonly key: RepositoryKey;
  /** Where it is, for people: the sentence of a 404 ends with it. */
  readonly label: string;
  /** Where a reference points, without moving the manifest's bytes if that can be avoided. */
  resolve(reference: Reference, ask: Ask): Promise<Answer<Descriptor> | undefined>;
  manifest(reference: Reference, ask: Ask): Promise<Answer<ManifestContent> | undefined>;
  /** Size and digest of a blob; never fetches it. */
  stat(digest: Digest, ask: Ask): Promise<Answer<Descriptor> | undefined>;
  blob(digest: Digest, ask: Ask): Promise<Answer<BlobReader> | undefined>;
  tags(page: PageRequest, ask: Ask): Promise<Answer<Page<Tag>> | undefined>;
  /** `undefined` when the registry has no referrers API: clients then look for the tag `sha256-HEX`. */
  referrers(
    subject: Digest,
    artifactType: string | undefined,
    ask: Ask,
  ): Promise<Answer<readonly Referrer[]> | undefined>;
}

/**
 * What can be done to a repository besides reading it. Whatever resolves has happened and survives a power cut. Most
 * repositories are not writable: ask `isWritable`.
 */
export interface Writes {
  /**
   * Holds a manifest, byte for byte, and points tags at it, all or nothing.
   * @throws RegistryError `MANIFEST_BLOB_UNKNOWN` when something that it needs is not in this repository,
   *   `TAG_IMMUTABLE` when a tag that never moves points elsewhere
   */
  put(manifest: Manifest, tags: readonly Tag[], ask: Ask): Promise<void>;
  /** A tag alone, or a manifest with its tags. False when it was not there. */
  remove(reference: Reference, ask: Ask): Promise<boolean>;
  /**
   * False when it was not there.
   * @throws RegistryError `UNSUPPORTED` while a manifest of this repository needs it
   */
  removeBlob(digest: Digest, ask: Ask): Promise<boolean>;
  /**
   * Takes over a blob that another repository has, if the asker may pull from that one; from any such repository when
   * none is named. False when there is none: the blob has to be uploaded.
   */
  mount(digest: Digest, from: RepositoryKey | undefined, ask: Ask): Promise<boolean>;
  /** @param algorithm of the digest that it will be committed with, where the client has said so */
  startUpload(algorithm: DigestAlgorithm, ask: Ask): Promise<UploadStatus>;
  uploadStatus(id: UploadId, ask: Ask): Promise<UploadStatus | undefined>;
  /**
   * To write to it, as the only one.
   * @throws RegistryError `BLOB_UPLOAD_BUSY` while somebody else does
   */
  resumeUpload(id: UploadId, ask: Ask): Promise<Upload | undefined>;
}

export type WritableRepository = Repository & Writes;

export function isWritable(repository: Repository): repository is WritableRepository {
  return 'startUpload' in repository;
}
