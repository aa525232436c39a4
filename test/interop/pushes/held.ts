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

/** Every manifest and blob that an image consists of is there, whole, with the digest and the size that were promised. */
export async function assertHeld(repository: string, reference: string): Promise<void> {
  const bytes = await fetched(`/v2/${repository}/manifests/${reference}`);
  const { config, layers = [], manifests = [] } = JSON.parse(bytes.toString('utf8')) as AnyManifest;
  for (const child of manifests) await assertHeld(repository, child.digest);
  for (const blob of [...(config === undefined ? [] : [config]), ...layers]) {
    const content = await fetched(`/v2/${repository}/blobs/${blob.digest}`);
    assert.equal(content.length, blob.size);
    assert.equal(`sha256:${createHash('sha256').update(content).digest('hex')}`, blob.digest);
  }
}

async function fetched(path: string): Promise<Buffer> {
  const answer = await fetch(`http://${cacheAuthority}${path}`, { headers: { accept: '*/*' } });
  assert.equal(answer.status, 200, `${path}: ${answer.status}`);
  return Buffer.from(await answer.arrayBuffer());
}
