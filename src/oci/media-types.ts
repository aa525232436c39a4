/** The media types of manifests (OCI image specification, media-types.md; Docker's image manifest v2, schema 2). */
export const mediaTypes = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociArtifact: 'application/vnd.oci.artifact.manifest.v1+json',
  ociEmpty: 'application/vnd.oci.empty.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerSchema1: 'application/vnd.docker.distribution.manifest.v1+json',
  dockerSchema1Signed: 'application/vnd.docker.distribution.manifest.v1+prettyjws',
} as const;

/** Those that we can verify, most wanted first. Never schema 1: its digest is not that of its bytes. */
const manifestMediaTypes: readonly string[] = [
  mediaTypes.ociIndex,
  mediaTypes.dockerList,
  mediaTypes.ociManifest,
  mediaTypes.dockerManifest,
  mediaTypes.ociArtifact,
];

/** What we ask an upstream for. */
export const manifestAccept: string = manifestMediaTypes.join(', ');

export function isManifestMediaType(mediaType: string): boolean {
  return manifestMediaTypes.includes(mediaType);
}

export function isIndexMediaType(mediaType: string): boolean {
  return mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerList;
}

/** Layers that their owners do not let others hand on: clients fetch them from where their descriptors say. */
export function isForeignMediaType(mediaType: string): boolean {
  return mediaType.startsWith('application/vnd.oci.image.layer.nondistributable.') || mediaType === dockerForeignLayer;
}

const dockerForeignLayer = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';

export function isSchema1MediaType(mediaType: string): boolean {
  return mediaType === mediaTypes.dockerSchema1 || mediaType === mediaTypes.dockerSchema1Signed;
}

const jsonForm = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/(?:[a-z0-9][a-z0-9!#$&^_.-]{0,120}\+)?json$/i;

/**
 * Whether a manifest may have this type: one of RFC 6838, 4.2, for JSON. It comes from whoever wrote the manifest and goes
 * out as our Content-Type: nothing that a browser would run, nothing that breaks a header.
 */
export function isJsonMediaType(mediaType: string): boolean {
  return jsonForm.test(mediaType);
}

/** The media type alone, lower case, without parameters (RFC 9110, 8.3.1). */
export function bareMediaType(contentType: string): string {
  const end = contentType.indexOf(';');
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
}
