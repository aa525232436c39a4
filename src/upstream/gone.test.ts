import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseDigest } from '../oci/digest.ts';
import { parseReference } from '../oci/reference.ts';
import { CountingUpstream } from '../../test/support/counting-upstream.ts';
import { makeImage } from '../../test/support/images.ts';
import * as faults from '../../test/support/upstream-faults.ts';
import { failureOf, fetchBlob, makeRig } from './testing.ts';

const image = makeImage();
const digest = parseDigest(image.config.digest);
const tag = parseReference('7');

async function start(blobRedirects = false): Promise<CountingUpstream> {
  const registry = await CountingUpstream.start(blobRedirects ? { blobRedirects: {} } : {});
  registry.publish('library/redis:7', image);
  return registry;
}

describe('what is gone (410)', () => {
  test('is not there', async () => {
    await using registry = await start();
    registry.fault({}, faults.status(410));
    await using rig = makeRig(registry.origin);
    assert.equal(await rig.repository.manifest(tag, 'anonymous'), undefined);
    assert.equal((await fetchBlob(rig.repository, digest)).found, false);
    assert.equal(await rig.repository.blobSize(digest, 'anonymous'), undefined);
    assert.equal(await rig.repository.tags({ limit: 1, last: undefined }, 'anonymous'), undefined);
    assert.equal(await rig.repository.referrers(digest, undefined, 'anonymous'), undefined);
  });

  test('is perhaps a link alone', async () => {
    await using registry = await start(true);
    registry.fault({ host: 'cdn' }, faults.status(410));
    await using rig = makeRig(registry.origin);
    const failure = await failureOf(fetchBlob(rig.repository, digest));
    assert.equal(failure.code, 'UPSTREAM_FAILED');
    assert.match(failure.message, /refused the link/);
  });
});

test('what must not be given for legal reasons (451) is denied, from wherever that comes', async () => {
  for (const host of ['registry', 'cdn'] as const) {
    await using registry = await start(true);
    registry.fault({ host }, faults.status(451));
    await using rig = makeRig(registry.origin);
    const failure = await failureOf(fetchBlob(rig.repository, digest));
    assert.equal(failure.code, 'UPSTREAM_DENIED');
    assert.match(failure.message, /may not give us blob .* for legal reasons \(451\); ask whoever publishes it/);
  }
});
