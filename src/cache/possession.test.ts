import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { digestOf } from '../oci/digest.ts';
import type { UpstreamRepository } from '../upstream/contract.ts';
import { possesses } from './possession.ts';
import { PlayUpstream, small } from './testing.ts';
import type { Manners } from './testing.ts';

const word = { freshMs: () => 0, keep: { notfound: false, denied: false }, ranges: 1 };
const digest = digestOf(small);

function registry(says: number | undefined, manners: Manners = {}) {
  const upstream = new PlayUpstream(small, () => manners);
  const source = upstream.source();
  const blobSize: UpstreamRepository['blobSize'] = async (_digest, _as, how) => {
    assert.ok(how?.direct, 'a mirror proves nothing');
    return says;
  };
  const repository = { ...source.repository, blobSize };
  const has = (isBelieved: boolean): Promise<boolean> =>
    possesses(digest, { ...source, repository }, { ...word, isBelieved });
  return { upstream, has };
}

describe('a registry that somebody has named', () => {
  test('is believed when it says that it has a blob, or has it not', async () => {
    const { upstream, has } = registry(small.length);
    assert.equal(await has(true), true);
    assert.equal(await registry(undefined).has(true), false);
    assert.deepEqual(upstream.asked, []);
  });
});

describe('a registry that nobody has named', () => {
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
