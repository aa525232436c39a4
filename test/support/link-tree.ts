/** What the files of `registry:2` say, read as it reads them: a test of ours must not read them with our own reader. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Linked {
  readonly layers: readonly string[];
  readonly manifests: readonly string[];
  /** With the digest that each points at. */
  readonly tags: Readonly<Record<string, string>>;
}

/** By the names of repositories; only those with anything in them. */
export async function readLinkTree(root: string): Promise<Readonly<Record<string, Linked>>> {
  const top = join(root, 'docker/registry/v2/repositories');
  const files = await readdir(top, { recursive: true }).catch(() => []);
  const found = new Map<string, { layers: string[]; manifests: string[]; tags: Record<string, string> }>();
  for (const file of files.filter((name) => name.endsWith('/link')).sort()) {
    const text = await readFile(join(top, file), 'utf8');
    const [, name = '', place = ''] = /^(.+?)\/(_.+)\/link$/.exec(file) ?? [];
    const of = found.get(name) ?? { layers: [], manifests: [], tags: {} };
    found.set(name, of);
    const [, tag] = /^_manifests\/tags\/([^/]+)\/current$/.exec(place) ?? [];
    if (tag !== undefined) of.tags[tag] = text;
    const path = text.replace(':', '/');
    if (place === `_layers/${path}`) of.layers.push(text);
    else if (place === `_manifests/revisions/${path}`) of.manifests.push(text);
    else if (tag === undefined && !place.endsWith(`/index/${path}`)) throw new Error(`${file} says ${text}`);
  }
  return Object.fromEntries(found);
}
