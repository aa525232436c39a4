import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { accessLine } from './access-line.ts';
import { requestDone } from '../../test/support/request-done.ts';

const at = Date.UTC(2026, 10, 20, 19, 33, 19, 123);

describe('an access line', () => {
  test('is Combined Log Format, then what happened and why', () => {
    const line = accessLine('text', {})(requestDone({ outcome: 'stale', upstream: 'quay.io', ms: 1.23456 }), at);
    assert.equal(
      line,
      '192.0.2.7 - - [20/Nov/2026:19:33:19 +0000] "GET /v2/coreos/etcd/manifests/v3?ns=quay.io HTTP/1.1" 200 1234 "-" "containerd/2.1.9" ms=1.235 id=r1 outcome=stale upstream=quay.io\n',
    );
  });

  test('says who it was', () => {
    const done = requestDone({ user: 'ann of "ops"' });
    assert.match(accessLine('text', {})(done, at), /^192\.0\.2\.7 - ann\\x20of\\x20\\"ops\\" \[20/);
    assert.equal((JSON.parse(accessLine('json', {})(done, at)) as { user: string }).user, 'ann of "ops"');
  });

  test('says whose fault a failure was and that the body was cut', () => {
    const failed = requestDone({
      status: 503,
      errorCode: 'UPSTREAM_UNREACHABLE',
      origin: 'upstream',
      errorMessage: 'no route to "quay.io"',
      complete: false,
    });
    const line = accessLine('text', {})(failed, at);
    assert.match(line, / error=UPSTREAM_UNREACHABLE origin=upstream cut=true why="no route to \\"quay\.io\\""\n$/);
  });

  test('is JSON with the fields of the event and of the configuration', () => {
    const line = accessLine('json', { site: 'Łódź' })(requestDone({ reference: 'v3', repository: 'coreos/etcd' }), at);
    assert.deepEqual(JSON.parse(line), {
      time: '2026-11-20T19:33:19.123Z',
      level: 'info',
      msg: 'request answered',
      event: 'request.done',
      site: 'Łódź',
      requestId: 'r1',
      clientAddress: '192.0.2.7',
      method: 'GET',
      url: '/v2/coreos/etcd/manifests/v3?ns=quay.io',
      status: 200,
      bytes: 1234,
      firstByteMs: 0.5,
      ms: 1,
      complete: true,
      httpVersion: '1.1',
      userAgent: 'containerd/2.1.9',
      repository: 'coreos/etcd',
      reference: 'v3',
    });
  });

  test('has the names that logstash expects', () => {
    const line = JSON.parse(accessLine('logstash', {})(requestDone({}), at)) as Record<string, unknown>;
    assert.equal(line['@timestamp'], '2026-11-20T19:33:19.123Z');
    assert.equal(line['@version'], '1');
    assert.equal(line['message'], 'request answered');
  });

  for (const format of ['text', 'json'] as const) {
    test(`cannot be forged by a client (${format})`, () => {
      const evil = requestDone({ userAgent: 'x"\n1.2.3.4 - - "GET\u001b[31m\u009b \\', url: '/v2/"\r\n' });
      const line = accessLine(format, {})(evil, at);
      assert.equal(line.indexOf('\n'), line.length - 1);
      assert.equal(line.includes('\u001b'), false);
      if (format === 'json') assert.equal((JSON.parse(line) as { userAgent: string }).userAgent, evil.userAgent);
    });
  }

  test('cuts a user agent that is too long', () => {
    const line = accessLine('json', {})(requestDone({ userAgent: 'a'.repeat(10_000) }), at);
    assert.ok(line.length < 1200);
  });

  test('has a dash for a client without an address, at a unix socket', () => {
    assert.match(accessLine('text', {})(requestDone({ clientAddress: '' }), at), /^- - - \[/);
  });

  test('shows the time of each line, not of the first', () => {
    const line = accessLine('text', {});
    assert.match(line(requestDone({}), at), /19:33:19/);
    assert.match(line(requestDone({}), at + 1000), /19:33:20/);
  });
});
