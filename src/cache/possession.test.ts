import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { digestOf } from '../oci/digest.ts';
import type { UpstreamRepository } from '../upstream/contract.ts';
import { possesses } from './possession.ts';
import { PlayUpstream, small } from './testing.ts';
import type { Manners } from './testing.ts';

const digest = digestOf(small);

function registry(says: number | undefined, manners: Manners = {}) {
  const upstream = new PlayUpstream(small, () => manners);
  const source = upstream.source();
  const blobSize: UpstreamRepository['blobSize'] = async (_digest, _as, how) => {
    assert.ok(how?.direct, 'a mirror proves nothing');
    return says;
  };
  const repository = { ...source.repository, blobSize };
  const has = (isBelieved: boolean, heldBytes?: number): Promise<boolean> =>
    possesses(digest, { ...source, repository }, { isBelieved, heldBytes });
  return { upstream, has };
}

describe('a registry whose word is enough', () => {
  test('has a blob when it says so', async () => {
    const { upstream, has } = registry(small.length);
    assert.equal(await has(true), true);
    assert.equal(await has(true, small.length), true);
    assert.equal(await registry(undefined).has(true), false);
    assert.deepEqual(upstream.asked, []);
  });

  test('has to send what it says is of another size than what is held', async () => {
    await assert.rejects(registry(7, { content: small.subarray(0, 7) }).has(true, small.length), {
      code: 'UPSTREAM_INVALID',
    });
    await assert.rejects(registry(7, { absent: true }).has(true, small.length));
    assert.equal(await registry(0).has(true, small.length), false);
  });
});

describe('a registry whose word is not enough', () => {
  test('has what it sends', async () => {
    const { upstream, has } = registry(small.length);
    assert.equal(await has(false), true);
    assert.equal(upstream.sentBytes, small.length);
    assert.equal(await registry(undefined).has(false), false);
  });

  test('has nothing that it only says it has, of whatever size', async () => {
    const other = Buffer.from(small).fill(7);
    await assert.rejects(registry(small.length, { content: other }).has(false), { code: 'UPSTREAM_INVALID' });
    await assert.rejects(registry(10, { content: small.subarray(0, 10) }).has(false), { code: 'UPSTREAM_INVALID' });
    await assert.rejects(registry(small.length, { absent: true }).has(false));
    assert.equal(await registry(0).has(false), false);
  });
});
