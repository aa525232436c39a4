import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Secret } from '../config/secret.ts';
import { parseReference, parseRepositoryName } from '../oci/reference.ts';
import { testAuthority } from '../../test/support/certificates.ts';
import { CountingUpstream } from '../../test/support/counting-upstream.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { makeImage } from '../../test/support/images.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import * as faults from '../../test/support/upstream-faults.ts';
import type { AuthOptions } from '../../test/support/upstream-auth.ts';
import { pauseSecondsDefault } from './pauses.ts';
import { failureOf, fetchBlob, makeRig } from './testing.ts';

const image = makeImage();
const [layer] = image.layers;
assert.ok(layer);
const tag = parseReference('7');
const alice = { kind: 'static', username: 'alice', password: new Secret('wonderland') } as const;
const users = { alice: 'wonderland' };

async function start(auth: Partial<AuthOptions> = {}, now?: () => number): Promise<CountingUpstream> {
  const registry = await CountingUpstream.start({ auth: { kind: 'bearer', ...auth }, ...(now && { now }) });
  registry.publish('library/redis:7', image);
  registry.publish('library/nginx:7', image);
  return registry;
}

describe('a token', () => {
  test('is asked for once for each repository, and before the request once the challenge is known', async () => {
    await using registry = await start();
    await using rig = makeRig(registry.origin);
    await rig.repository.resolve(tag, 'anonymous');
    await rig.repository.manifest(tag, 'anonymous');
    await fetchBlob(rig.repository, layer.digest);
    await rig.upstream.repository(parseRepositoryName('library/nginx')).resolve(tag, 'anonymous');
    assert.equal(registry.count({ path: '/token' }), 2, registry.summary());
    assert.equal(registry.count({ status: 401 }), 1);
    const scope = new URL(registry.ledger.matching({ path: '/token' })[0]?.path ?? '', registry.origin).searchParams;
    assert.deepEqual([scope.get('scope'), scope.get('service')], ['repository:library/redis:pull', 'registry.test']);
  });

  test('is asked for once by many who need it at the same time', async () => {
    await using registry = await start();
    await using rig = makeRig(registry.origin);
    await Promise.all(Array.from({ length: 20 }, () => rig.repository.resolve(tag, 'anonymous')));
    assert.equal(registry.count({ path: '/token' }), 1);
  });

  test('is renewed shortly before it expires, without a refusal', async () => {
    const clock = new FakeClock();
    await using registry = await start({ tokenSeconds: 100 }, () => clock.now());
    await using rig = makeRig(registry.origin, {}, { clock });
    await rig.repository.resolve(tag, 'anonymous');
    await clock.advance(79_000);
    await rig.repository.resolve(tag, 'anonymous');
    assert.equal(registry.count({ path: '/token' }), 1);
    await clock.advance(2_000);
    await rig.repository.resolve(tag, 'anonymous');
    assert.equal(registry.count({ path: '/token' }), 2);
    assert.equal(registry.count({ status: 401 }), 1);
  });

  test('that is refused before its time is replaced once', async () => {
    await using registry = await start();
    await using rig = makeRig(registry.origin);
    await rig.repository.resolve(tag, 'anonymous');
    registry.gatekeeper.revokeTokens();
    assert.equal((await fetchBlob(rig.repository, layer.digest)).found, true);
    assert.equal(registry.count({ path: '/token' }), 2);
  });

  test('that was held is replaced after a 403, a new one is not', async () => {
    await using registry = await start();
    await using rig = makeRig(registry.origin);
    await rig.repository.manifest(tag, 'anonymous');
    registry.reset();
    registry.fault({ path: '/manifests/' }, faults.status(403));
    assert.equal((await failureOf(rig.repository.manifest(tag, 'anonymous'))).code, 'UPSTREAM_DENIED');
    assert.equal(registry.count({ path: '/token' }), 1);
    assert.equal(registry.count({ path: '/manifests/' }), 2);
  });

  test('that somebody was denied is asked for anew by the next (nothing negative is kept)', async () => {
    await using registry = await start({ private: ['library/redis'] });
    await using rig = makeRig(registry.origin);
    const failure = await failureOf(rig.repository.manifest(tag, 'anonymous'));
    assert.equal(failure.code, 'UPSTREAM_DENIED');
    assert.equal(failure.upstreamStatus, 401);
    assert.match(failure.message, /it does not exist or is private/);
    await failureOf(rig.repository.manifest(tag, 'anonymous'));
    assert.ok(registry.count({ path: '/token' }) >= 2);
  });

  test('is another for another identity', async () => {
    await using registry = await start({ users, private: ['library/redis'] });
    await using rig = makeRig(registry.origin, { credentials: alice });
    assert.equal((await rig.repository.manifest(tag, 'own'))?.digest, image.digest);
    const failure = await failureOf(rig.repository.manifest(tag, 'anonymous'));
    assert.equal(failure.code, 'UPSTREAM_DENIED');
    assert.equal(registry.count({ path: '/token', authorization: 'basic' }), 1);
    assert.equal(registry.count({ path: '/token', authorization: 'none' }) >= 1, true);
  });

  test('is asked for by POST where the service has no GET', async () => {
    await using registry = await start({ users, private: ['library/redis'] });
    registry.fault({ method: 'GET', path: '/token' }, faults.status(405));
    await using rig = makeRig(registry.origin, { credentials: alice });
    assert.equal((await rig.repository.manifest(tag, 'own'))?.digest, image.digest);
    const [post] = registry.ledger.matching({ method: 'POST' });
    const form = new URLSearchParams(post?.body);
    assert.deepEqual([form.get('grant_type'), form.get('scope')], ['password', 'repository:library/redis:pull']);
  });

  test('is asked for by POST once more when the connection turns out to be closed', async () => {
    await using registry = await start({ users, private: ['library/redis'] });
    registry.fault({ method: 'GET', path: '/token' }, faults.status(405));
    registry.fault({ method: 'POST', path: '/token', times: 1 }, faults.close());
    await using rig = makeRig(registry.origin, { credentials: alice });
    assert.equal((await rig.repository.manifest(tag, 'own'))?.digest, image.digest);
    assert.equal(registry.count({ method: 'POST' }), 2);
  });
});

describe('credentials', () => {
  test('for Basic go to the registry alone', async () => {
    await using registry = await CountingUpstream.start({ auth: { kind: 'basic', users }, blobRedirects: {} });
    registry.publish('library/redis:7', image);
    await using rig = makeRig(registry.origin, { credentials: alice });
    assert.equal((await rig.repository.manifest(tag, 'own'))?.digest, image.digest);
    await fetchBlob(rig.repository, layer.digest, {}, 'own');
    assert.equal(registry.count({ host: 'cdn', authorization: 'none' }), 1);
    assert.equal((await failureOf(rig.repository.manifest(tag, 'anonymous'))).code, 'UPSTREAM_DENIED');
  });

  test('that are refused are named as what is wrong', async () => {
    for (const kind of ['basic', 'bearer'] as const) {
      await using registry = await CountingUpstream.start({ auth: { kind, users: { alice: 'other' } } });
      registry.publish('library/redis:7', image);
      await using rig = makeRig(registry.origin, { credentials: alice });
      const failure = await failureOf(rig.repository.manifest(tag, 'own'));
      assert.equal(failure.code, 'UPSTREAM_DENIED');
      assert.match(failure.message, /refused our credentials.*; check upstreams\.reg\.test\.credentials/);
      assert.equal(failure.upstreamStatus, 401);
      assert.ok(!failure.message.includes('wonderland'));
    }
  });

  test('in a file count as soon as the file is corrected', async () => {
    await using directory = await TempDir.make();
    const path = join(directory.path, 'password');
    await writeFile(path, 'wrong\n');
    await using registry = await start({ users, private: ['library/redis'] });
    await using rig = makeRig(registry.origin, { credentials: { kind: 'passwordFile', username: 'alice', path } });
    assert.equal((await failureOf(rig.repository.manifest(tag, 'own'))).code, 'UPSTREAM_DENIED');
    await writeFile(path, 'wonderland\n');
    assert.equal((await rig.repository.manifest(tag, 'own'))?.digest, image.digest);
  });

  test("that cannot be had are the operator's business, and say so", async () => {
    await using registry = await start();
    const path = '/nowhere/password';
    await using rig = makeRig(registry.origin, { credentials: { kind: 'passwordFile', username: 'alice', path } });
    const failure = await failureOf(rig.repository.manifest(tag, 'own'));
    assert.equal(failure.origin, 'operator');
    assert.match(failure.message, /no credentials for reg\.test: ENOENT.*; check upstreams\.reg\.test\.credentials/);
  });

  test('never show in an event or an error', async () => {
    await using registry = await start({ users: { alice: 'other' } });
    await using rig = makeRig(registry.origin, { credentials: alice });
    const failure = await failureOf(rig.repository.manifest(tag, 'own'));
    const told = JSON.stringify([rig.events, rig.upstream.status(), failure, failure.message, failure.stack]);
    assert.ok(!told.includes('wonderland'));
    assert.ok(!told.includes(Buffer.from('alice:wonderland').toString('base64')));
  });
});

describe('a token service', () => {
  test('at another host sees nobody before it is listed', async () => {
    await using registry = await start({ users, realm: 'other' });
    await using rig = makeRig(registry.origin, { credentials: alice });
    const failure = await failureOf(rig.repository.manifest(tag, 'own'));
    assert.equal(failure.code, 'UPSTREAM_DENIED');
    const host = new URL(registry.originOf('token')).host;
    assert.ok(failure.message.endsWith(`add ${host} to upstreams.reg.test.realms`), failure.message);
    assert.equal(registry.count({ host: 'token' }), 0);
  });

  test('at another host is asked when it is listed', async () => {
    await using registry = await start({ users, realm: 'other' });
    const realms = [new URL(registry.originOf('token')).host];
    await using rig = makeRig(registry.origin, { credentials: alice, realms });
    assert.equal((await rig.repository.manifest(tag, 'own'))?.digest, image.digest);
    assert.equal(registry.count({ host: 'token', authorization: 'basic' }), 1);
  });

  const evil = [
    ['on another port', 'http://127.0.0.1:9/token'],
    ['whose name only begins like ours', 'https://127.0.0.1.evil.test/token'],
    ['with credentials of its own', 'http://u:p@127.0.0.1/token'],
    ['that is no URL', 'token'],
    ['that is a file', 'file:///etc/passwd'],
  ] as const;
  for (const [what, realm] of evil) {
    test(`${what} is not asked`, async () => {
      await using registry = await start();
      registry.fault({ path: '/manifests/' }, faults.status(401, { 'www-authenticate': `Bearer realm="${realm}"` }));
      await using rig = makeRig(registry.origin, { credentials: alice });
      assert.equal((await failureOf(rig.repository.manifest(tag, 'own'))).code, 'UPSTREAM_DENIED');
      assert.equal(registry.count(), 1);
    });
  }

  test('is not asked over plain http when the registry is asked over https', async () => {
    await using registry = await CountingUpstream.start({ tls: true, auth: { kind: 'bearer', users } });
    const realm = registry.origin.replace('https:', 'http:');
    registry.fault(
      { path: '/manifests/' },
      faults.status(401, { 'www-authenticate': `Bearer realm="${realm}/token"` }),
    );
    await using directory = await TempDir.make();
    await using rig = makeRig(registry.origin, { credentials: alice, caPath: await authorityFile(directory.path) });
    const failure = await failureOf(rig.repository.manifest(tag, 'own'));
    assert.match(failure.message, /plain http/);
  });

  test('that limits us and does not say for how long is left alone for as long as everybody is told', async () => {
    await using registry = await start();
    registry.fault({ path: '/token' }, faults.status(429));
    await using rig = makeRig(registry.origin, {}, { clock: new FakeClock() });
    for (let asked = 0; asked < 2; asked++) {
      const failure = await failureOf(rig.repository.manifest(tag, 'anonymous'));
      assert.equal(failure.retryAfterSeconds, pauseSecondsDefault);
    }
    assert.equal(registry.count({ path: '/token' }), 1);
  });

  const troubles = [
    ['429', faults.status(429, { 'retry-after': '33' }), 'UPSTREAM_LIMITED'],
    ['500', faults.status(500), 'UPSTREAM_FAILED'],
    ['404', faults.status(404), 'UPSTREAM_INVALID'],
    ['a web page', faults.html200(), 'UPSTREAM_INVALID'],
    ['an empty object', faults.status(200, {}, '{}'), 'UPSTREAM_INVALID'],
    ['a token with a line break', faults.status(200, {}, '{"token":"a\\r\\nb: c"}'), 'UPSTREAM_INVALID'],
    ['too much', faults.status(200, {}, `{"token":"${'x'.repeat(70_000)}"}`), 'UPSTREAM_INVALID'],
    ['a closed connection', faults.close(), 'UPSTREAM_UNREACHABLE'],
  ] as const;
  for (const [what, fault, code] of troubles) {
    test(`that answers ${what} is ${code}, and named`, async () => {
      await using registry = await start();
      registry.fault({ path: '/token' }, fault);
      await using rig = makeRig(registry.origin);
      const failure = await failureOf(rig.repository.manifest(tag, 'anonymous'));
      assert.equal(failure.code, code, failure.message);
      assert.match(failure.message, /the token service of reg\.test/);
      if (code === 'UPSTREAM_LIMITED') {
        assert.equal(failure.retryAfterSeconds, 33);
        registry.reset();
        await failureOf(rig.repository.manifest(tag, 'anonymous'));
        assert.equal(registry.count({ path: '/token' }), 0, 'it is not asked again so soon');
      }
    });
  }
});

async function authorityFile(directory: string): Promise<string> {
  const path = join(directory, 'ca.pem');
  await writeFile(path, testAuthority().ca);
  return path;
}
