import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Request } from '../http/message.ts';
import { noBody } from '../http/request-body.ts';
import { RegistryError } from '../oci/errors.ts';
import type { ErrorCode, RegistryErrorOptions } from '../oci/errors.ts';
import { failureReply } from './failure.ts';

function request(): Request {
  return {
    id: 'req-1',
    method: 'GET',
    url: '/',
    headers: {},
    host: 'cache',
    scheme: 'http',
    clientPort: undefined,
    clientAddress: '10.0.0.1',
    clientCertificate: undefined,
    via: undefined,
    gone: new AbortController().signal,
    body: noBody,
    notes: {
      user: undefined,
      upstream: undefined,
      repository: undefined,
      reference: undefined,
      outcome: undefined,
      errorCode: undefined,
      errorMessage: undefined,
      origin: undefined,
      door: undefined,
    },
  };
}

function told(code: ErrorCode, message: string, options: RegistryErrorOptions, label?: string) {
  const reply = failureReply(new RegistryError(code, message, options), request(), { label });
  assert.ok(reply.body.kind === 'bytes');
  const body = JSON.parse(Buffer.from(reply.body.bytes).toString()) as { errors: { code: string; message: string }[] };
  return { status: reply.status, headers: reply.headers, ...body.errors[0] };
}

describe('a failure', () => {
  const rows: readonly (readonly [ErrorCode, number, string])[] = [
    ['UPSTREAM_UNKNOWN', 404, 'NAME_UNKNOWN'],
    ['UPSTREAM_UNREACHABLE', 503, 'UNAVAILABLE'],
    ['UPSTREAM_TIMEOUT', 504, 'UNAVAILABLE'],
    ['UPSTREAM_DENIED', 403, 'DENIED'],
    ['UPSTREAM_LIMITED', 429, 'TOOMANYREQUESTS'],
    ['UPSTREAM_INVALID', 502, 'UNAVAILABLE'],
    ['UPSTREAM_FAILED', 503, 'UNAVAILABLE'],
    ['MANIFEST_UNKNOWN', 404, 'MANIFEST_UNKNOWN'],
    ['BLOB_UNKNOWN', 404, 'BLOB_UNKNOWN'],
    ['NAME_INVALID', 400, 'NAME_INVALID'],
    ['DENIED', 403, 'DENIED'],
    ['UNAVAILABLE', 503, 'UNAVAILABLE'],
    ['UNKNOWN', 500, 'UNKNOWN'],
  ];
  for (const [code, status, wire] of rows) {
    test(`${code} is ${status} ${wire}`, () => {
      const answer = told(code, 'why', {});
      assert.deepEqual([answer.status, answer.code], [status, wire]);
    });
  }

  test('names the upstream, the repository, the reason and the request', () => {
    const options = { upstream: 'quay.io' };
    const { message } = told('UPSTREAM_UNREACHABLE', 'no route to host', options, 'quay.io/coreos/etcd');
    assert.equal(message, 'quay.io/coreos/etcd: no route to host (request req-1)');
    const other = told('UPSTREAM_UNREACHABLE', 'no route to host', options);
    assert.equal(other.message, 'quay.io: no route to host (request req-1)');
    const complete = told('UPSTREAM_UNREACHABLE', 'quay.io/a/b cannot be had from quay.io', options, 'quay.io/a/b');
    assert.equal(complete.message, 'quay.io/a/b cannot be had from quay.io (request req-1)');
  });

  test("keeps the upstream's Retry-After, in whole seconds", () => {
    assert.equal(told('UPSTREAM_LIMITED', 'why', { retryAfterSeconds: 1.2 }).headers['Retry-After'], '2');
    assert.equal(told('UPSTREAM_LIMITED', 'why', {}).headers['Retry-After'], undefined);
  });

  test('is never a challenge, not even when the upstream refuses our credentials', () => {
    const { status, headers } = told('UPSTREAM_DENIED', 'why', { upstreamStatus: 401 });
    assert.equal(status, 403);
    assert.ok(!Object.keys(headers).some((name) => name.toLowerCase() === 'www-authenticate'));
  });

  test('notes for the log what it does not tell the client', () => {
    const asked = request();
    failureReply(new Error('internals'), asked, { label: undefined });
    assert.equal(asked.notes.errorCode, 'UNKNOWN');
    assert.equal(asked.notes.errorMessage, 'internals');
    assert.equal(asked.notes.origin, 'entrepot');
  });
});
