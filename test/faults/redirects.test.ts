/** The way to the bytes: tokens, hops and signed links. What goes wrong on it, and who must not learn our secrets. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { get, together } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { cut, redirect, status } from '../support/upstream-faults.ts';
import { assertWhole, mib, urlOf, World } from './world.ts';

const blobs = { path: '/blobs/' };
const credentials = { username: 'puller', password: 'hunter2-secret' };
const account = {
  kind: 'bearer',
  users: { puller: 'hunter2-secret' },
  private: ['library/redis'],
  anonymous: false,
} as const;
/** What only our credentials can read is shared, so that tests see what happens after that. */
const trusting = { credentials, exposure: 'anyone' };
/** What stalls is waited for, so that something else can go wrong first. */
const patient = { timeouts: { stall: '1h' } };

describe('three hops from the registry to the bytes', () => {
  test('relative, absolute and to another host are followed; Authorization stays behind (docker-registry-proxy#147)', async () => {
    await using world = await World.start({
      upstream: {
        auth: account,
        blobRedirects: { hops: ['relative', 'absolute', 'cdn'] },
        addresses: { cdn: '127.0.0.2' },
      },
      habits: trusting,
    });
    for (const client of await together(5, () => world.drain())) assertWhole(client, world.blob);
    world.assertFetchedOnce();
    const [last, ...others] = world.upstream.ledger.matching({ host: 'cdn' });
    assert.deepEqual(others, []);
    assert.equal(last?.authorization, 'none');
    assert.equal(world.upstream.count({ path: '/data/1/', authorization: 'bearer' }), 1, 'still the registry itself');
  });

  for (const code of [301, 302, 303, 307, 308] as const) {
    test(`are followed when they say ${code}`, async () => {
      await using world = await World.start({
        upstream: { blobRedirects: { hops: ['absolute', 'cdn'], status: code } },
      });
      assertWhole(await world.drain(), world.blob);
    });
  }
});

describe('a signed link', () => {
  test('is not kept: a client after its end gets another (docker-registry-proxy#26)', async () => {
    const clock = new FakeClock();
    await using world = await World.start({
      clock,
      upstream: { blobRedirects: { signatureMs: 1_000 }, now: () => clock.now() },
      config: { cache: { size: '1MiB' } },
    });
    assertWhole(await world.drain(), world.blob);
    await clock.advance(2_000);
    assertWhole(await world.drain(), world.blob);
    assert.equal(world.upstream.count({ host: 'cdn', status: 403 }), 0);
    assert.equal(world.upstream.count({ host: 'cdn' }), world.upstream.count({ host: 'registry' }), 'a link for each');
  });

  test('that expires while the blob arrives is replaced when the transfer breaks off', async () => {
    const clock = new FakeClock();
    await using world = await World.start({
      clock,
      upstream: { blobRedirects: { signatureMs: 1_000 }, now: () => clock.now() },
      habits: patient,
    });
    const gate = world.upstream.gate({ host: 'cdn', times: 1 }, { at: mib });
    world.upstream.fault({ host: 'cdn', times: 1 }, cut(mib + 1));
    const client = world.drain();
    await gate.arrived();
    await clock.advance(5_000);
    gate.release();
    assertWhole(await world.overTime(client), world.blob);
    assert.equal(world.upstream.count({ host: 'cdn', status: 206 }), 2);
    world.assertFetchedOnce();
  });

  test('that is refused though it is new is asked for once more, and then told', async () => {
    await using world = await World.start({ upstream: { blobRedirects: {} } });
    using refusal = world.upstream.fault({ host: 'cdn' }, status(403));
    const client = await get(world.url);
    assert.equal(client.status, 503);
    assert.equal(refusal.hits, 2);
    assert.match(client.body.toString(), /refused the link that docker\.io gave/);
    refusal.lift();
    assertWhole(await world.drain(), world.blob);
  });
});

describe('a token', () => {
  test('that expires while a blob arrives is replaced when the transfer breaks off', async () => {
    const clock = new FakeClock();
    await using world = await World.start({
      clock,
      upstream: { auth: { ...account, tokenSeconds: 60 }, now: () => clock.now() },
      habits: { ...trusting, ...patient },
    });
    const gate = world.upstream.gate({ ...blobs, authorization: 'bearer', times: 1 }, { at: mib });
    world.upstream.fault({ ...blobs, authorization: 'bearer', times: 1 }, cut(mib + 1));
    const client = world.drain();
    await gate.arrived();
    await clock.advance(120_000);
    gate.release();
    assertWhole(await world.overTime(client), world.blob);
    world.assertFetchedOnce();
    assert.equal(world.upstream.count({ path: '/token' }), 2);
  });

  test('that was revoked is not insisted upon', async () => {
    await using world = await World.start({
      upstream: { auth: account },
      habits: trusting,
      config: { cache: { size: '1MiB' } },
    });
    assertWhole(await world.drain(), world.blob);
    world.upstream.gatekeeper.revokeTokens();
    assertWhole(await world.drain(), world.blob);
    assert.equal(world.upstream.count({ path: '/token' }), 2);
  });
});

describe('a refusal', () => {
  for (const code of [401, 403, 404, 429, 500, 503]) {
    test(`(${code}) is nobody's but his who was there: the next client is asked for anew (docker-registry-proxy#5)`, async () => {
      await using world = await World.start({ clock: new FakeClock() });
      {
        using _refusal = world.upstream.fault(blobs, status(code));
        const client = await world.drain();
        assert.ok(client.status >= 400, `${client.status}`);
        assert.notEqual(client.status, 401, 'a challenge would ask the client for a password');
        assert.equal(client.headers['www-authenticate'], undefined);
      }
      // What a 429 asks for, and no more.
      await world.overTime(new Promise<void>((resolve) => world.clock.setTimer(15_000, resolve)));
      assertWhole(await world.drain(), world.blob);
    });
  }
});

describe('a redirect to somewhere it should not lead', () => {
  test('to the metadata service of a cloud is not followed', async () => {
    await using world = await World.start();
    for (const evil of ['http://169.254.169.254/latest/meta-data/', 'http://[fe80::1]/', 'http://100.100.100.200/']) {
      using _evil = world.upstream.fault(blobs, redirect(evil));
      const client = await get(world.url);
      assert.equal(client.status, 503);
      assert.match(client.body.toString(), /link-local|metadata/);
    }
    await world.nothingKept();
  });

  test('to a service on this machine is not followed, by whatever spelling', async () => {
    await using victim = await CountingUpstream.start({ addresses: { registry: '127.0.0.9' } });
    await using world = await World.start();
    const { port } = new URL(victim.origin);
    victim.forbid();
    for (const host of [
      '127.0.0.9',
      '127.0.0.9.',
      '0x7f000009',
      '2130706441',
      '0177.0.0.9',
      '[::ffff:127.0.0.9]',
      'localhost',
    ]) {
      using _evil = world.upstream.fault(blobs, redirect(`http://${host}:${port}/secret`));
      assert.ok((await world.drain()).status >= 500, host);
    }
    victim.assertUntouched();
    await world.nothingKept();
  });

  test('into a private network is not followed, unless the configuration names it', async () => {
    await using world = await World.start({ habits: { timeouts: { connect: '1s' } } });
    for (const address of ['10.0.0.1', '192.168.1.1', '172.16.0.1', '[fd00::1]']) {
      using _evil = world.upstream.fault(blobs, redirect(`http://${address}:5000/v2/`));
      const client = await get(world.url);
      assert.equal(client.status, 503);
      assert.match(client.body.toString(), /private network/);
    }
  });

  test('to something that is no web address, or in a circle, ends', async () => {
    await using world = await World.start();
    for (const [evil, hops] of [
      ['file:///etc/passwd', 1],
      ['gopher://example.com/', 1],
      ['http://user:password@example.com/', 1],
      ['http://', 1],
      [`/v2/library/redis/blobs/${world.blob.digest}`, 11],
    ] as const) {
      world.upstream.reset();
      using _evil = world.upstream.fault(blobs, redirect(evil));
      assert.equal((await world.drain()).status, 502, evil);
      assert.equal(world.upstream.count(), hops);
    }
  });

  test('from https to plain http is not followed', async () => {
    await using plain = await CountingUpstream.start();
    await using world = await World.start({ upstream: { tls: true } });
    plain.publishBlob('library/redis', world.blob);
    plain.forbid();
    using _evil = world.upstream.fault(blobs, redirect(urlOf(plain.origin, world.blob)));
    const client = await get(world.url);
    assert.equal(client.status, 502);
    assert.match(client.body.toString(), /plain http/);
    plain.assertUntouched();
  });

  test('to another registry carries no secret there (CVE-2026-33540)', async () => {
    await using thief = await CountingUpstream.start();
    await using world = await World.start({
      upstream: { auth: account },
      habits: { ...trusting, dial: ['127.0.0.0/8'] },
    });
    thief.publishBlob('library/redis', world.blob);
    using _evil = world.upstream.fault(
      { ...blobs, authorization: 'bearer' },
      redirect(urlOf(thief.origin, world.blob)),
    );
    assertWhole(await world.drain(), world.blob);
    const [entry] = thief.ledger.entries;
    assert.equal(entry?.authorization, 'none');
    assert.equal(thief.ledger.saw('hunter2-secret'), false);
  });
});

describe('a challenge that names a token service', () => {
  const realms = (thief: CountingUpstream): readonly string[] => [
    `${thief.origin}/token`,
    'https://evil.example/token',
    'ftp://127.0.0.1/token',
    'http://169.254.169.254/token',
  ];

  test('that is neither the upstream nor listed for it gets nothing, credentials least of all', async () => {
    await using thief = await CountingUpstream.start({ auth: { kind: 'bearer', users: { puller: 'hunter2-secret' } } });
    await using world = await World.start({ habits: { ...trusting, dial: ['127.0.0.0/8'] } });
    thief.forbid();
    for (const realm of realms(thief)) {
      const challenge = {
        'www-authenticate': `Bearer realm="${realm}",service="x",scope="repository:other/private:pull"`,
      };
      using _evil = world.upstream.fault({}, status(401, challenge));
      const client = await get(world.url);
      assert.equal(client.status, 403, realm);
      assert.match(client.body.toString(), /names a token service that is not trusted/);
      assert.equal(client.headers['www-authenticate'], undefined);
    }
    thief.assertUntouched();
    assert.equal(world.upstream.ledger.saw('hunter2-secret'), false, 'nor does the upstream itself');
  });

  test('over plain http gets no credentials of an https upstream', async () => {
    await using world = await World.start({ upstream: { tls: true }, habits: trusting });
    const realm = world.upstream.origin.replace('https:', 'http:');
    using _evil = world.upstream.fault({}, status(401, { 'www-authenticate': `Bearer realm="${realm}/token"` }));
    assert.equal((await world.drain()).status, 403);
    assert.equal(world.upstream.count({ path: '/token' }), 0);
    assert.equal(world.upstream.ledger.saw('hunter2-secret'), false);
  });

  test('with a wider scope is asked for no more than we need', async () => {
    await using world = await World.start({ upstream: { auth: account }, habits: trusting });
    const challenge = `Bearer realm="${world.upstream.origin}/token",service="registry.test",scope="repository:library/redis:pull,push repository:other/private:pull"`;
    using _greedy = world.upstream.fault(
      { authorization: 'none', ...blobs },
      status(401, { 'www-authenticate': challenge }),
    );
    assertWhole(await world.drain(), world.blob);
    const [token] = world.upstream.ledger.matching({ path: '/token' });
    assert.match(decodeURIComponent(token?.path ?? ''), /scope=repository:library\/redis:pull$/);
  });
});
