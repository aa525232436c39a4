import { RegistryError } from '../oci/errors.ts';
import { imageNameText, parseImageName, referenceOf } from '../oci/image-name.ts';
import type { ImageName } from '../oci/image-name.ts';
import type { Reference } from '../oci/reference.ts';
import type { RepositoryKey } from '../oci/repository.ts';
import type { Upstreams } from '../upstream/contract.ts';

/** An image that somebody named, found among the upstreams. */
export interface Located {
  readonly key: RepositoryKey;
  readonly reference: Reference;
  /** Whether a tag or digest was written down. */
  readonly explicit: boolean;
  readonly image: ImageName;
  /** The complete name, by the upstream's canonical name. */
  readonly text: string;
}

/** @throws RegistryError when the text is not an image name, or its registry is not a known upstream (`UPSTREAM_UNKNOWN`) */
export function locate(upstreams: Upstreams, text: string): Located {
  const image = parseImageName(text);
  const upstream = upstreams.find(image.host);
  if (upstream === undefined) return locate(upstreams, withoutOurName(image, text));
  return {
    key: { upstream: upstream.name, name: image.name },
    reference: referenceOf(image),
    explicit: image.explicit,
    image,
    text: imageNameText({ ...image, host: upstream.name }),
  };
}

/** `cache:5000/quay.io/a/b`, copied from a docker command, is about `quay.io/a/b`. */
function withoutOurName(image: ImageName, text: string): string {
  const rest = text.slice(text.indexOf('/') + 1);
  if (image.name.includes('/') && parseImageName(rest).host !== 'docker.io') return rest;
  throw new RegistryError(
    'UPSTREAM_UNKNOWN',
    `${image.host} is not a known registry; add it under upstreams in the configuration`,
    { origin: 'operator' },
  );
}

/** How a repository is called in listings, and how pins match it: `docker.io/library/redis`, or a hosted name. */
export function repositoryText(key: RepositoryKey): string {
  return key.upstream === undefined ? key.name : `${key.upstream}/${key.name}`;
}
