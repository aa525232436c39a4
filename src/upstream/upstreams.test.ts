import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { UpstreamConfig } from '../config/config.ts';
import { Secret } from '../config/secret.ts';
import { plainUpstream } from '../config/upstream-defaults.ts';
import { systemClock } from '../observe/clock.ts';
import { silent } from '../observe/events.ts';
import { parseReference, parseRepositoryName } from '../oci/reference.ts';
import { CountingUpstream } from '../../test/support/counting-upstream.ts';
import { makeBlob, makeImage } from '../../test/support/images.ts';
import { failureOf, fetchBlob } from './testing.ts';
import { createUpstreams, wildcardUpstreamsMax } from './upstreams.ts';
import type { ReconfigurableUpstreams } from './upstreams.ts';

const image = makeImage();
const name = parseRepositoryName('library/redis');
const tag = parseReference('7');

function make(...upstreams: UpstreamConfig[]): ReconfigurableUpstreams {
  return createUpstreams({ upstreams, observer: silent, clock: systemClock });
}

describe('upstreams', () => {
  test('are found by name and alias, in any case, with or without the default port', async () => {
    await using scope = new AsyncDisposableStack();
    const upstreams = make(
      plainUpstream('docker.io', { aliases: ['index.docker.io'] }),
      plainUpstream('reg.test:5000'),
    );
    scope.defer(() => upstreams.close());
    const hub = upstreams.find('docker.io');
    assert.equal(hub?.name, 'docker.io');
    for (const host of ['Docker.IO', 'docker.io:443', 'index.docker.io', 'docker.io.']) {
      assert.equal(upstreams.find(host), hub, host);
    }
    assert.equal(upstreams.find('reg.test:5000')?.name, 'reg.test:5000');
    for (const host of ['reg.test', 'docker.io:5000', 'evil.test', '', '*', 'docker.io/x']) {
      assert.equal(upstreams.find(host), undefined, host);
    }
    assert.deepEqual(
      upstreams.list().map((upstream) => upstream.name),
      ['docker.io', 'reg.test:5000'],
    );
  });

  test('that a wildcard stands for have a URL and a life of their own', async () => {
    const upstreams = make(plainUpstream('*.gcr.io', { url: 'https://*.gcr.io', builtIn: true }));
    assert.deepEqual(upstreams.list(), []);
    const eu = upstreams.find('eu.gcr.io');
    assert.equal(eu?.url, 'https://eu.gcr.io');
    assert.equal(upstreams.find('EU.gcr.io:443'), eu);
    assert.notEqual(upstreams.find('us.gcr.io'), eu);
    assert.equal(upstreams.find('a.b.gcr.io'), undefined);
    await upstreams.close();
  });

  test('that wildcards stand for are kept in mind up to a number, the longest unused going first', async () => {
    const upstreams = make(plainUpstream('*.gcr.io', { url: 'https://*.gcr.io' }));
    const first = upstreams.find('a0.gcr.io');
    const second = upstreams.find('a1.gcr.io');
    for (let count = 2; count < wildcardUpstreamsMax; count++) upstreams.find(`a${count}.gcr.io`);
    assert.equal(upstreams.find('a0.gcr.io'), first);
    upstreams.find('one-more.gcr.io');
    assert.equal(upstreams.list().length, wildcardUpstreamsMax);
    assert.equal(upstreams.find('a0.gcr.io'), first);
    assert.notEqual(upstreams.find('a1.gcr.io'), second);
    await upstreams.close();
  });
});

describe('new settings', () => {
  const users = { alice: 'right' };
  const withPassword = (registry: CountingUpstream, password: string): UpstreamConfig =>
    plainUpstream('reg.test', {
      url: registry.origin,
      credentials: { kind: 'static', username: 'alice', password: new Secret(password) },
    });

  test('count at once, also for who holds on to a repository', async () => {
    await using registry = await CountingUpstream.start({ auth: { kind: 'bearer', users, private: ['library'] } });
    registry.publish('library/redis:7', image);
    const upstreams = make(withPassword(registry, 'wrong'));
    const upstream = upstreams.find('reg.test');
    const repository = upstream?.repository(name);
    assert.ok(repository);
    assert.equal((await failureOf(repository.manifest(tag, 'own'))).code, 'UPSTREAM_DENIED');
    upstreams.reconfigure([withPassword(registry, 'right')]);
    assert.equal((await repository.manifest(tag, 'own'))?.digest, image.digest);
    assert.equal(upstreams.find('reg.test'), upstream);
    await upstreams.close();
  });

  test('close a circuit that the old ones opened', async () => {
    await using registry = await CountingUpstream.start();
    registry.publish('library/redis:7', image);
    const upstreams = make(plainUpstream('reg.test', { url: 'http://127.0.0.1:1' }));
    const repository = upstreams.find('reg.test')?.repository(name);
    assert.ok(repository);
    await failureOf(repository.manifest(tag, 'anonymous'));
    upstreams.reconfigure([plainUpstream('reg.test', { url: registry.origin })]);
    assert.ok(await repository.manifest(tag, 'anonymous'));
    await upstreams.close();
  });

  test('do not disturb what is under way, and closing does', async () => {
    const blob = makeBlob(200_000, 'under way');
    await using registry = await CountingUpstream.start({ blobRedirects: {} });
    registry.publishBlob('library/redis', blob);
    const atFirstHop = registry.gate({ path: '/blobs/', times: 1 });
    const upstreams = make(plainUpstream('reg.test', { url: registry.origin }));
    const repository = upstreams.find('reg.test')?.repository(name);
    assert.ok(repository);
    const running = fetchBlob(repository, blob.digest);
    await atFirstHop.arrived();
    upstreams.reconfigure([plainUpstream('reg.test', { url: 'http://127.0.0.1:1' })]);
    atFirstHop.release();
    assert.deepEqual((await running).bytes, blob.bytes());

    upstreams.reconfigure([plainUpstream('reg.test', { url: registry.origin })]);
    const gate = registry.gate({ path: '/blobs/' });
    const broken = failureOf(fetchBlob(repository, blob.digest));
    await gate.arrived();
    await upstreams.close();
    assert.equal((await broken).code, 'UPSTREAM_UNREACHABLE');
    assert.equal(upstreams.find('reg.test'), undefined);
  });

  test('that leave an upstream out make it unknown', async () => {
    const upstreams = make(plainUpstream('reg.test'), plainUpstream('*.gcr.io', { url: 'https://*.gcr.io' }));
    upstreams.find('eu.gcr.io');
    upstreams.reconfigure([plainUpstream('other.test')]);
    assert.equal(upstreams.find('reg.test'), undefined);
    assert.deepEqual(
      upstreams.list().map((upstream) => upstream.name),
      ['other.test'],
    );
    await upstreams.close();
  });
});
