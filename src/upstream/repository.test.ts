import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainUpstream } from '../config/upstream-defaults.ts';
import { systemClock } from '../observe/clock.ts';
import { silent } from '../observe/events.ts';
import { parseReference, parseRepositoryName } from '../oci/reference.ts';
import { CountingUpstream } from '../../test/support/counting-upstream.ts';
import { makeImage } from '../../test/support/images.ts';
import { createUpstreams } from './upstreams.ts';

test('an image is pulled with one token, over redirects, each byte once', async () => {
  await using upstream = await CountingUpstream.start({
    auth: { kind: 'bearer' },
    blobRedirects: { hops: ['relative', 'absolute', 'cdn'] },
  });
  upstream.publish('library/redis:7', makeImage());
  const config = plainUpstream('reg.test', { url: upstream.origin });
  const upstreams = createUpstreams({ upstreams: [config], observer: silent, clock: systemClock });
  const repository = upstreams.find('REG.test:443')?.repository(parseRepositoryName('library/redis'));
  assert.ok(repository);
  const resolution = await repository.resolve(parseReference('7'), 'anonymous');
  assert.ok(resolution);
  const manifest = await repository.manifest(resolution.descriptor.digest, 'anonymous');
  assert.ok(manifest);
  for (const { digest, size } of manifest.children) {
    let arrived = 0;
    const request = { start: 0, end: undefined, etag: undefined, signal: new AbortController().signal };
    const sink = {
      head: () => true,
      data: (chunk: Uint8Array) => {
        arrived += chunk.length;
        return true;
      },
    };
    assert.equal(await repository.blob(digest, request, sink, 'anonymous'), true);
    assert.equal(arrived, size);
    assert.equal(upstream.blobBytes(digest).sent, size);
  }
  assert.equal(upstream.count({ path: '/token' }), 1);
  assert.equal(upstream.count({ host: 'cdn', authorization: 'bearer' }), 0);
  await upstreams.close();
});
