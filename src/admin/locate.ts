import { parseImageName, referenceOf, referencePart, repositoryPart } from '../oci/image-name.ts';
import type { ImageName } from '../oci/image-name.ts';
import type { Reference } from '../oci/reference.ts';
import type { RepositoryKey } from '../oci/repository.ts';

/**
 * Which repository a name means, with or without a registry in front: as for what clients ask for.
 * @throws RegistryError when its registry is not a known upstream (`UPSTREAM_UNKNOWN`)
 */
export type FindRepository = (name: string) => Promise<RepositoryKey>;

/** An image that somebody named, of an upstream or hosted here. */
export interface Located {
  readonly key: RepositoryKey;
  readonly reference: Reference;
  /** Whether a tag or digest was written down. */
  readonly explicit: boolean;
  readonly image: ImageName;
  /** The complete name, by the upstream's canonical name. */
  readonly text: string;
}

/** @throws RegistryError when the text is not an image name, or as `find` does */
export async function locate(find: FindRepository, text: string): Promise<Located> {
  const image = parseImageName(text);
  const key = await find(repositoryPart(image));
  return {
    key,
    reference: referenceOf(image),
    explicit: image.explicit,
    image,
    text: repositoryText(key) + referencePart(image),
  };
}

/** How a repository is called in listings, and how pins match it: `docker.io/library/redis`, or a hosted name. */
export function repositoryText(key: RepositoryKey): string {
  return key.upstream === undefined ? key.name : `${key.upstream}/${key.name}`;
}
