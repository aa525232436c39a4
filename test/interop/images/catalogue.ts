/**
 * The images of the lab, and where the fake internet publishes them.
 *
 * `tiny` and `pair` carry their publisher's name inside, so the same name has another digest in another registry; `big`
 * is the same everywhere.
 */
export type Backend = 'hub' | 'quay' | 'others';
export type ImageName = 'tiny' | 'pair' | 'big';

export interface Publication {
  readonly backend: Backend;
  readonly repository: string;
  readonly image: ImageName;
}

export const tag = 'latest';

export const publications: readonly Publication[] = [
  { backend: 'hub', repository: 'library/tiny', image: 'tiny' },
  { backend: 'hub', repository: 'library/pair', image: 'pair' },
  { backend: 'hub', repository: 'library/big', image: 'big' },
  { backend: 'hub', repository: 'private/tiny', image: 'tiny' },
  { backend: 'quay', repository: 'lab/tiny', image: 'tiny' },
  { backend: 'quay', repository: 'lab/pair', image: 'pair' },
  { backend: 'quay', repository: 'lab/big', image: 'big' },
  { backend: 'others', repository: 'lab/tiny', image: 'tiny' },
  { backend: 'others', repository: 'lab/pair', image: 'pair' },
];

/** What a published image consists of; sizes in bytes. */
export interface ImageFacts {
  /** What the tag points at: an index (`pair`) or a manifest. */
  readonly root: string;
  readonly manifests: readonly ManifestFacts[];
}

/** An index has no blobs and no platform. */
export interface ManifestFacts {
  readonly digest: string;
  readonly platform: string | undefined;
  readonly blobs: Readonly<Record<string, number>>;
}

/** Facts by `backend/repository`. */
export type Facts = Readonly<Record<string, ImageFacts>>;
