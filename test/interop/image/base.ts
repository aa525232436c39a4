import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { busybox } from '../images/image-builder.ts';
import { run } from '../lab/process.ts';

/** What the Dockerfile and its entry point call, besides Node. */
const applets = ['cat', 'chmod', 'env', 'id', 'ln', 'ls', 'mkdir', 'rm', 'sh', 'sleep', 'touch'];

/**
 * Packs the root file system of a small image with Node in it, where nothing can be pulled: busybox, this process's own
 * Node, and the libraries that it is linked against.
 */
export async function packBase(directory: string): Promise<string> {
  const root = join(directory, 'base');
  for (const folder of ['bin', 'usr/bin', 'usr/local/bin', 'etc', 'tmp', 'var/lib']) {
    await mkdir(join(root, folder), { recursive: true });
  }
  await copyFile(busybox, join(root, 'bin/busybox'));
  for (const applet of applets) await symlink('busybox', join(root, 'bin', applet));
  await symlink('/bin/busybox', join(root, 'usr/bin/env'));
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0:root:/:/bin/sh\n');
  await copyFile(process.execPath, join(root, 'usr/local/bin/node'));
  for (const library of await librariesOf(process.execPath)) {
    await mkdir(join(root, dirname(library)), { recursive: true });
    await copyFile(library, join(root, library));
  }
  const tar = join(directory, 'base.tar');
  await run(['tar', '-C', root, '-cf', tar, '.']);
  return tar;
}

async function librariesOf(program: string): Promise<readonly string[]> {
  const listing = await run(['ldd', program]);
  return [...listing.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map(([, path]) => path ?? '');
}
