/** Where we connect to: a name says nothing, the address that is connected to is judged. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { get } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { makeBlob } from '../support/images.ts';
import { redirect } from '../support/upstream-faults.ts';
import { NameServer } from './name-server.ts';
import { assertPiece, urlOf, World } from './world.ts';

const blob = makeBlob(1_000, 'dial');

describe('a name that points at', () => {
  for (const [what, address, why] of [
    ['this machine', '127.0.0.1', /a loopback address/],
    ['this machine, by another of its addresses', '127.8.9.10', /a loopback address/],
    ['the unspecified address', '0.0.0.0', /the unspecified address/],
    ['a link-local address', '169.254.7.7', /a link-local address/],
    ["a cloud's metadata service", '169.254.169.254', /metadata|link-local/],
    ["another cloud's metadata service", '100.100.100.200', /metadata/],
    ['a multicast group', '224.0.0.1', /a multicast address/],
  ] as const) {
    test(`${what} is not followed there, though the configuration names it`, async () => {
      await using names = await NameServer.start({ 'registry.example': [[address]] });
      await using entrepot = await startWith('registry.example', names, 'http://registry.example:8080');
      const answer = await get(urlAt(entrepot, 'registry.example'));
      assert.equal(answer.status, 503);
      assert.match(answer.body.toString(), why);
      assert.match(answer.body.toString(), /upstreams\.registry\.example\.dial/, 'it says what to do if that is meant');
    });
  }

  for (const name of ['quay.io', 'europe.gcr.io']) {
    test(`a private network is not followed there if it is only we who name it (${name})`, async () => {
      await using names = await NameServer.start({ [name]: [['10.255.255.1']] });
      const habits = { resolver: [names.address], family: '4' };
      await using entrepot = await Entrepot.start({ config: { upstreams: { 'quay.io': habits, '*.gcr.io': habits } } });
      const answer = await get(urlAt(entrepot, name));
      assert.equal(answer.status, 503);
      assert.match(answer.body.toString(), /10\.255\.255\.1, in a private network/);
      assert.deepEqual(names.asked, [name]);
    });
  }
});

describe('a name that is allowed to point at this machine', () => {
  test('is connected to at the address that is allowed, whatever other addresses it has', async () => {
    await using upstream = await startUpstream('127.0.0.1');
    const port = new URL(upstream.origin).port;
    await using names = await NameServer.start({ 'registry.example': [['127.0.0.9', '169.254.169.254', '127.0.0.1']] });
    const origin = `http://registry.example:${port}`;
    await using entrepot = await startWith('registry.example', names, origin, { dial: ['127.0.0.1'] });
    const answer = await get(urlAt(entrepot, 'registry.example'));
    assert.equal(answer.status, 200);
    assertPiece(answer.body, blob);
  });

  test('and at another one the next moment is not followed there (DNS rebinding)', async () => {
    await using upstream = await startUpstream('127.0.0.1');
    const port = Number(new URL(upstream.origin).port);
    await using names = await NameServer.start({ 'registry.example': [['127.0.0.1'], ['127.0.0.9']] });
    const origin = `http://registry.example:${port}`;
    await using entrepot = await startWith('registry.example', names, origin, { dial: ['127.0.0.1'] });
    assert.equal((await get(urlAt(entrepot, 'registry.example'))).status, 200);
    assert.deepEqual(names.asked, ['registry.example'], 'it is asked once for what it is then connected to');
    await upstream.down();
    await upstream.up();
    const other = makeBlob(1_000, 'other');
    upstream.publishBlob('library/redis', other);
    const answer = await get(urlAt(entrepot, 'registry.example', other.digest));
    assert.equal(answer.status, 503);
    assert.match(answer.body.toString(), /127\.0\.0\.9, a loopback address/);
    assert.equal(names.asked.length, 2);
  });
});

describe('a redirect to a name that points at this machine', () => {
  test('is not followed, though the registry itself may be there', async () => {
    await using names = await NameServer.start({ 'cdn.example': [['127.0.0.9']] });
    await using world = await World.start({ habits: { resolver: [names.address], family: '4' } });
    using _evil = world.upstream.fault({ path: '/blobs/' }, redirect('http://cdn.example:8080/data'));
    const answer = await get(world.url);
    assert.equal(answer.status, 503);
    assert.match(answer.body.toString(), /cdn\.example is at 127\.0\.0\.9, a loopback address/);
    await world.nothingKept();
  });
});

async function startUpstream(registry: string): Promise<CountingUpstream> {
  const upstream = await CountingUpstream.start({ addresses: { registry } });
  upstream.publishBlob('library/redis', blob);
  return upstream;
}

function startWith(name: string, names: NameServer, url: string, more: object = {}): Promise<Entrepot> {
  const habits = { url, resolver: [names.address], family: '4', timeouts: { connect: '20s' }, ...more };
  return Entrepot.start({ config: { upstreams: { [name]: habits } } });
}

function urlAt({ origin }: Entrepot, name: string, digest = blob.digest): string {
  return urlOf(origin, { digest }).replace('ns=docker.io', `ns=${name}`);
}
