/** How the runner is told to run everything: all kinds of data, all optional parts of the interface (its README in the module). */

const repository = 'conformance/one';
const otherRepository = 'conformance/two';

/** Its environment. `host` with its port; plain HTTP. */
export function settingsFor(host: string, resultsDirectory: string): Readonly<Record<string, string>> {
  return {
    OCI_VERSION: 'dev',
    OCI_REGISTRY: host,
    OCI_TLS: 'disabled',
    OCI_REPO1: repository,
    OCI_REPO2: otherRepository,
    OCI_RESULTS_DIR: resultsDirectory,
    ...Object.fromEntries(apis.map((name) => [`OCI_API_${name}`, 'true'])),
    ...Object.fromEntries(data.map((name) => [`OCI_DATA_${name}`, 'true'])),
  };
}

const apis = [
  'PING',
  'PULL',
  'PUSH',
  'BLOBS_ATOMIC',
  'BLOBS_DELETE',
  'BLOBS_DIGEST_HEADER',
  'BLOBS_MOUNT_ANONYMOUS',
  'BLOBS_UPLOAD_CANCEL',
  'MANIFESTS_ATOMIC',
  'MANIFESTS_DELETE',
  'MANIFESTS_DIGEST_HEADER',
  'MANIFESTS_TAG_PARAM',
  'TAGS_ATOMIC',
  'TAGS_DELETE',
  'TAGS_LIST',
  'REFERRER',
];

const data = [
  'IMAGE',
  'INDEX',
  'INDEX_LIST',
  'SPARSE',
  'ARTIFACT',
  'SUBJECT',
  'SUBJECT_MISSING',
  'ARTIFACT_LIST',
  'SUBJECT_LIST',
  'DATA_FIELD',
  'NONDISTRIBUTABLE',
  'CUSTOM_FIELDS',
  'NO_LAYERS',
  'EMPTY_BLOB',
  'SHA512',
];
