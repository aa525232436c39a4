import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../lab/process.ts';

/** Makes an image that nobody else has, as `docker save` writes it by that name. */
export async function makeArchive(directory: string, name: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  const [layer, archive] = [join(directory, 'layer.tar'), join(directory, 'archive.tar')];
  await writeFile(join(directory, 'stamp'), randomBytes(200_000));
  await run(['tar', '-cf', layer, '-C', directory, 'stamp']);
  const config = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    created: '2026-01-01T00:00:00Z',
    config: { Cmd: ['/stamp'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${hexOf(await readFile(layer))}`] },
    history: [{ created: '2026-01-01T00:00:00Z', created_by: 'the lab' }],
  });
  const configFile = `${hexOf(config)}.json`;
  await writeFile(join(directory, configFile), config);
  const entry = { Config: configFile, RepoTags: [name], Layers: ['layer.tar'] };
  await writeFile(join(directory, 'manifest.json'), JSON.stringify([entry]));
  await run(['tar', '-cf', archive, '-C', directory, 'manifest.json', configFile, 'layer.tar']);
  return archive;
}

function hexOf(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
