/**
 * `node build.ts DIRECTORY`: the storage of the fake internet's back ends with all images in it, and `facts.json`, which
 * says what they consist of. Needs no network. What is there and current is used again.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { publications } from './catalogue.ts';
import type { ImageFacts } from './catalogue.ts';
import { busybox, ImageBuilder } from './image-builder.ts';

const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error('usage: node build.ts DIRECTORY');
await buildImages(directory);

async function buildImages(target: string): Promise<void> {
  const version = await sourceVersion();
  const current = await readFile(join(target, 'version'), 'utf8').catch(() => undefined);
  if (current === version) return;
  const fresh = `${target}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { recursive: true });
  const facts: Record<string, ImageFacts> = {};
  const builder = new ImageBuilder(fresh);
  for (const publication of publications) {
    facts[`${publication.backend}/${publication.repository}`] = await builder.publish(publication);
  }
  await writeFile(join(fresh, 'facts.json'), JSON.stringify(facts, undefined, 2));
  await writeFile(join(fresh, 'version'), version);
  await rm(target, { recursive: true, force: true });
  await rename(fresh, target);
}

/** The files in here and busybox decide what the images contain. */
async function sourceVersion(): Promise<string> {
  const hash = createHash('sha256');
  for (const file of ['build.ts', 'catalogue.ts', 'image-builder.ts', 'layers.ts', 'storage.ts']) {
    hash.update(await readFile(join(import.meta.dirname, file)));
  }
  hash.update(await readFile(busybox));
  return hash.digest('hex');
}
