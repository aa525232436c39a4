/**
 * How the runner is told to run everything: all workflows, all kinds of data, all optional parts of the interface. Its
 * two forms take different settings (each form's README in the module).
 */

/** `test`: the `go test` package of up to 2025; `program`: what has replaced it. */
export type Form = 'test' | 'program';

export interface Invocation {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const repository = 'conformance/one';
const otherRepository = 'conformance/two';

/** `host` with its port; plain HTTP. */
export function invocation(form: Form, host: string, resultsDirectory: string): Invocation {
  return form === 'test' ? testInvocation(host) : programInvocation(host, resultsDirectory);
}

/** It writes its results into its working directory. */
function testInvocation(host: string): Invocation {
  return {
    args: ['-ginkgo.noColor', '-ginkgo.v'],
    env: {
      OCI_ROOT_URL: `http://${host}`,
      OCI_NAMESPACE: repository,
      OCI_CROSSMOUNT_NAMESPACE: otherRepository,
      OCI_TEST_PULL: '1',
      OCI_TEST_PUSH: '1',
      OCI_TEST_CONTENT_DISCOVERY: '1',
      OCI_TEST_CONTENT_MANAGEMENT: '1',
      OCI_AUTOMATIC_CROSSMOUNT: '1',
      OCI_DEBUG: '1',
      ACK_GINKGO_DEPRECATIONS: '1.16.5',
    },
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

function programInvocation(host: string, resultsDirectory: string): Invocation {
  return {
    args: [],
    env: {
      OCI_VERSION: 'dev',
      OCI_REGISTRY: host,
      OCI_TLS: 'disabled',
      OCI_REPO1: repository,
      OCI_REPO2: otherRepository,
      OCI_RESULTS_DIR: resultsDirectory,
      ...Object.fromEntries(apis.map((name) => [`OCI_API_${name}`, 'true'])),
      ...Object.fromEntries(data.map((name) => [`OCI_DATA_${name}`, 'true'])),
    },
  };
}
