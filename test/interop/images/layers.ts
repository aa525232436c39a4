import { spawn } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, open, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createGzip } from 'node:zlib';
import { Measure } from './storage.ts';
import type { RegistryStorage, StoredBlob } from './storage.ts';

const mebibyte = 1024 * 1024;

/** A gzip layer; `diffId` is the digest of the tar inside. */
export interface Layer extends StoredBlob {
  readonly diffId: string;
}

/** Builds layers into a storage from files made on the spot; everything in them is the same in every run. */
export class LayerBuilder {
  readonly #storage: RegistryStorage;
  readonly #scratch: string;

  constructor(storage: RegistryStorage, scratch: string) {
    this.#storage = storage;
    this.#scratch = scratch;
  }

  /** A small system: busybox and a file that says who published it for which platform. */
  async system(busybox: string, publisher: string, platform: string): Promise<Layer> {
    return this.#build(async (directory) => {
      for (const folder of ['bin', 'etc', 'tmp']) await mkdir(join(directory, folder));
      await copyFile(busybox, join(directory, 'bin/busybox'));
      for (const applet of ['sh', 'cat', 'echo', 'ls', 'true'])
        await symlink('busybox', join(directory, 'bin', applet));
      await writeFile(join(directory, 'etc/passwd'), 'root:x:0:0:root:/:/bin/sh\n');
      await writeFile(join(directory, 'etc/publisher'), `${publisher} ${platform}\n`);
    });
  }

  /** Bytes that do not compress. */
  async noise(name: string, mebibytes: number): Promise<Layer> {
    return this.#build(async (directory) => {
      const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, name), Buffer.alloc(16));
      const zeros = Buffer.alloc(mebibyte);
      await using file = await open(join(directory, name), 'w');
      for (let i = 0; i < mebibytes; i++) await file.write(cipher.update(zeros));
    });
  }

  /** Bytes that compress to next to nothing. */
  async zeros(name: string, mebibytes: number): Promise<Layer> {
    return this.#build(async (directory) => {
      await using file = await open(join(directory, name), 'w');
      await file.truncate(mebibytes * mebibyte);
    });
  }

  async #build(fill: (directory: string) => Promise<void>): Promise<Layer> {
    const directory = await mkdtemp(join(this.#scratch, 'layer-'));
    try {
      await fill(directory);
      return await this.#pack(directory);
    } finally {
      await rm(directory, { recursive: true });
    }
  }

  async #pack(directory: string): Promise<Layer> {
    const sameEverywhere = [
      '--sort=name',
      '--mtime=@0',
      '--owner=0',
      '--group=0',
      '--numeric-owner',
      '--mode=u=rwX,go=rX',
    ];
    const tar = spawn('tar', [...sameEverywhere, '-C', directory, '-cf', '-', '.'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = new Promise<number | null>((resolve, reject) => tar.once('error', reject).once('close', resolve));
    const plain = new Measure();
    const packed = tar.stdout.pipe(plain).pipe(createGzip({ level: 1 }));
    const [blob, code] = await Promise.all([this.#storage.putBlob(packed), ended]);
    if (code !== 0) throw new Error(`tar of ${directory} ended with ${code}`);
    return { ...blob, diffId: plain.digest() };
  }
}
