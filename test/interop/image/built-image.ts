import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Machine } from '../lab/machine.ts';
import { run } from '../lab/process.ts';
import { packBase } from './base.ts';

export const imageTag = 'entrepot:lab';
const baseTag = 'base:lab';

const repositoryRoot = join(import.meta.dirname, '../../..');

/** Builds this checkout's image with a dockerd that has no network: the program is built outside, the base is made here. */
export async function buildImage(machine: Machine, docker: readonly string[], directory: string): Promise<void> {
  const context = join(directory, 'context');
  await mkdir(join(context, 'dist'), { recursive: true });
  for (const path of ['Dockerfile', '.dockerignore', 'deploy']) {
    await cp(join(repositoryRoot, path), join(context, path), { recursive: true });
  }
  await run([process.execPath, join(repositoryRoot, 'scripts/build.ts'), join(context, 'dist/entrepot.js')]);
  await machine.run([...docker, 'import', await packBase(directory), baseTag]);
  const args = ['--build-arg', `NODE=${baseTag}`, '--build-arg', 'PROGRAM=prebuilt'];
  await machine.run([...docker, 'build', '--quiet', '--network=none', ...args, '--tag', imageTag, context], {
    env: { DOCKER_BUILDKIT: '1' },
  });
}
