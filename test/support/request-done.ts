import type { RequestDone } from '../../src/observe/events.ts';

/** An answered request for tests, with what a test cares about. */
export function requestDone(given: Partial<RequestDone>): RequestDone {
  return {
    type: 'request.done',
    requestId: 'r1',
    method: 'GET',
    url: '/v2/coreos/etcd/manifests/v3?ns=quay.io',
    status: 200,
    clientAddress: '192.0.2.7',
    userAgent: 'containerd/2.1.9',
    httpVersion: '1.1',
    user: undefined,
    upstream: undefined,
    repository: undefined,
    reference: undefined,
    outcome: undefined,
    errorCode: undefined,
    errorMessage: undefined,
    origin: undefined,
    door: undefined,
    bytes: 1234,
    firstByteMs: 0.5,
    ms: 1,
    complete: true,
    ...given,
  };
}
