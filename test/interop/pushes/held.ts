import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cacheAuthority } from '../lab/server.ts';

interface Described {
  readonly mediaType?: string;
  readonly digest: string;
  readonly size: number;
}

interface AnyManifest {
  readonly config?: Described;
  readonly layers?: readonly Described[];
  readonly manifests?: readonly Described[];
}

/**
 * Every manifest and blob that an image consists of is there, whole, with the digest and the size that were promised.
 * Resolves with the digests of all of its blobs.
 */
export async function assertHeld(
  repository: string,
  reference: string,
  at = cacheAuthority,
): Promise<readonly string[]> {
  const bytes = await fetched(`${at}/v2/${repository}/manifests/${reference}`);
  const { config, layers = [], manifests = [] } = JSON.parse(bytes.toString('utf8')) as AnyManifest;
  const digests: string[] = [];
  for (const child of manifests) digests.push(...(await assertHeld(repository, child.digest, at)));
  for (const blob of [...(config === undefined ? [] : [config]), ...layers]) {
    digests.push(blob.digest);
    const content = await fetched(`${at}/v2/${repository}/blobs/${blob.digest}`);
    assert.equal(content.length, blob.size);
    assert.equal(`sha256:${createHash('sha256').update(content).digest('hex')}`, blob.digest);
  }
  return digests;
}

async function fetched(place: string): Promise<Buffer> {
  const answer = await fetch(`http://${place}`, { headers: { accept: '*/*' } });
  assert.equal(answer.status, 200, `${place}: ${answer.status}`);
  return Buffer.from(await answer.arrayBuffer());
}
