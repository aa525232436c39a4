import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { Secret } from '../config/secret.ts';
import { testAuthority } from '../../test/support/certificates.ts';
import { parseReference } from '../oci/reference.ts';
import { CountingUpstream } from '../../test/support/counting-upstream.ts';
import { makeBlob, makeImage } from '../../test/support/images.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import * as faults from '../../test/support/upstream-faults.ts';
import { redirectsMax } from './redirects.ts';
import { failureOf, fetchBlob, makeRig } from './testing.ts';

const blob = makeBlob(10_000, 'redirected');
const credentials = { kind: 'static', username: 'alice', password: new Secret('wonderland') } as const;
const auth = { kind: 'bearer', users: { alice: 'wonderland' }, private: ['library/redis'] } as const;

describe('a redirect', () => {
  for (const code of [301, 302, 303, 307, 308] as const) {
    test(`${code} is followed over relative and absolute hops, and Authorization stays behind`, async () => {
      const hops = ['relative', 'absolute', 'cdn', 'relative'] as const;
      await using registry = await CountingUpstream.start({ auth, blobRedirects: { hops, status: code } });
      registry.publishBlob('library/redis', blob);
      await using rig = makeRig(registry.origin, { credentials });
      assert.deepEqual((await fetchBlob(rig.repository, blob.digest, {}, 'own')).bytes, blob.bytes());
      assert.equal(registry.count({ host: 'cdn', authorization: 'none' }), 2, registry.summary());
      assert.equal(registry.count({ host: 'cdn' }), 2);
      assert.equal(registry.count({ host: 'registry', path: '/data/', authorization: 'bearer' }), 2);
    });
  }

  test('to a host that limits us holds up no other blob of the registry', async () => {
    await using registry = await CountingUpstream.start({ blobRedirects: {} });
    for (const each of [blob, makeBlob(10, 'other')]) registry.publishBlob('library/redis', each);
    registry.fault({ host: 'cdn', times: 1 }, faults.status(429, { 'retry-after': '60' }));
    await using rig = makeRig(registry.origin);
    const failure = await failureOf(fetchBlob(rig.repository, blob.digest));
    assert.equal(failure.retryAfterSeconds, 60);
    assert.match(failure.message, /, where reg\.test sent us, limits our requests \(429\) .*; try again in 60 s$/);
    assert.ok((await fetchBlob(rig.repository, makeBlob(10, 'other').digest)).found);
  });

  test('to another host is not trusted with Authorization when it leads back', async () => {
    await using registry = await CountingUpstream.start({ auth, blobRedirects: {} });
    await using other = await CountingUpstream.start();
    registry.publishBlob('library/redis', blob);
    registry.fault(
      { path: '/blobs/', times: 1, authorization: 'bearer' },
      faults.redirect(`${other.origin}/elsewhere`),
    );
    other.fault({ path: '/elsewhere' }, faults.redirect(`${registry.origin}/back`));
    await using rig = makeRig(registry.origin, { credentials });
    await fetchBlob(rig.repository, blob.digest, {}, 'own');
    assert.equal(other.count({ authorization: 'none' }), 1);
    assert.equal(registry.count({ path: '/back', authorization: 'none' }), 1);
  });

  test('to another registry is proved there by a token for anybody, as lscr.io wants it for ghcr.io', async () => {
    const image = makeImage();
    await using front = await CountingUpstream.start({ auth: { ...auth, private: ['team/redis'] } });
    await using back = await CountingUpstream.start({ auth: { kind: 'bearer' } });
    back.publish('library/redis:7', image);
    const to = (path: string): faults.Fault => faults.redirect(`${back.origin}/v2/library/redis/${path}`);
    front.fault({ path: '/manifests/', authorization: 'bearer' }, to('manifests/7'));
    front.fault({ path: '/blobs/', authorization: 'bearer' }, to(`blobs/${image.config.digest}`));
    await using rig = makeRig(front.origin, { credentials }, { repository: 'team/redis' });
    assert.equal((await rig.repository.resolve(parseReference('7'), 'own'))?.descriptor.digest, image.digest);
    assert.deepEqual((await rig.repository.manifest(parseReference('7'), 'own'))?.bytes, image.bytes);
    assert.ok((await fetchBlob(rig.repository, image.config.digest, {}, 'own')).found);
    assert.equal(back.count({ path: '/token' }), 1, back.summary());
    assert.equal(back.count({ authorization: 'basic' }), 0);
    assert.equal(back.count({ status: 401 }), 1);
    const strangers = back.ledger.matching({ authorization: 'bearer' }).map(({ headers }) => headers.authorization);
    const own = front.ledger.matching({ authorization: 'bearer' }).map(({ headers }) => headers.authorization);
    assert.ok(strangers.every((header) => !own.includes(header)));
  });

  test('is asked for anew for every part of a blob, since signed URLs expire', async () => {
    let now = 1_000_000;
    const blobRedirects = { signatureMs: 1000 };
    await using registry = await CountingUpstream.start({ blobRedirects, now: () => now });
    registry.publishBlob('library/redis', blob);
    await using rig = makeRig(registry.origin);
    await fetchBlob(rig.repository, blob.digest, { end: 5000 });
    now += 2000;
    await fetchBlob(rig.repository, blob.digest, { start: 5000 });
    assert.equal(registry.count({ path: '/v2/', method: 'GET' }), 2);
    assert.equal(registry.count({ status: 403 }), 0);
  });

  test('whose link is refused is asked for once more', async () => {
    await using registry = await CountingUpstream.start({ blobRedirects: {} });
    registry.publishBlob('library/redis', blob);
    registry.fault({ host: 'cdn', times: 1 }, faults.status(403));
    await using rig = makeRig(registry.origin);
    assert.equal((await fetchBlob(rig.repository, blob.digest)).found, true);
    registry.fault({ host: 'cdn' }, faults.status(403));
    const failure = await failureOf(fetchBlob(rig.repository, blob.digest));
    assert.equal(failure.code, 'UPSTREAM_FAILED', 'it is not us who are denied');
    assert.match(failure.message, /refused the link that reg\.test gave/);
  });

  test('in a circle ends', async () => {
    await using registry = await CountingUpstream.start();
    registry.fault({}, faults.redirect('/v2/round'));
    await using rig = makeRig(registry.origin);
    const failure = await failureOf(fetchBlob(rig.repository, blob.digest));
    assert.equal(failure.code, 'UPSTREAM_INVALID');
    assert.equal(registry.count(), redirectsMax + 1);
  });

  for (const [what, location] of [
    ['from https to plain http', 'http://127.0.0.1:1/x'],
    ['to a file', 'file:///etc/passwd'],
    ['to a URL with credentials', 'https://u:p@127.0.0.1:1/x'],
  ] as const) {
    test(`${what} is not followed`, async () => {
      await using directory = await TempDir.make();
      const caPath = directory.join('ca.pem');
      await writeFile(caPath, testAuthority().ca);
      await using registry = await CountingUpstream.start({ tls: true });
      registry.fault({ path: '/blobs/' }, faults.redirect(location));
      await using rig = makeRig(registry.origin, { caPath });
      const failure = await failureOf(fetchBlob(rig.repository, blob.digest));
      assert.equal(failure.code, 'UPSTREAM_INVALID', failure.message);
      assert.match(failure.message, /sent us/);
    });
  }

  test('never shows its signature', async () => {
    await using registry = await CountingUpstream.start({ blobRedirects: {} });
    registry.publishBlob('library/redis', blob);
    registry.fault({ host: 'cdn' }, faults.cut(5000));
    await using rig = makeRig(registry.origin);
    const failure = await failureOf(fetchBlob(rig.repository, blob.digest));
    const told = JSON.stringify([rig.events, failure, failure.message, rig.upstream.status()]);
    assert.ok(!/signature|expires/.test(told), told);
  });
});
