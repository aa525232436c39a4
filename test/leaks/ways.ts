/** What can be asked for, and what an answer looks like that gives it. */
import { namers, namingIndex, shelves } from './content.ts';
import type { Shelf } from './content.ts';
import type { Told } from './doors.ts';

export interface Way {
  readonly name: string;
  readonly method: string;
  /** As at the registry itself. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Where it lies; for `naming`, in whose name somebody hopes for what lies elsewhere. */
  readonly repository: string;
  readonly kind: 'content' | 'revalidated' | 'asked there' | 'naming';
  /** Whether it gives what was asked for; a 2xx or 304 that does not is a failure of its own. */
  gives(told: Told): boolean;
}

const accept = { accept: '*/*' };
/** Enough to know a body by. */
export const sampleBytes = 100;

export function waysTo(shelf: Shelf): readonly Way[] {
  const { index, image } = shelf;
  const layer = image.layers[0] ?? image.config;
  const bytesOf = (whole: Buffer) => (told: Told) => told.body.subarray(0, sampleBytes).equals(sample(whole));
  const named = (digest: string) => (told: Told) => told.headers['docker-content-digest'] === digest;
  const sized = (size: number) => (told: Told) => Number(told.headers['content-length']) === size;
  const says = (text: string) => (told: Told) => told.body.includes(text);
  const made = (
    name: string,
    method: string,
    rest: string,
    gives: Way['gives'],
    more: Partial<Pick<Way, 'headers' | 'kind'>> = {},
  ): Way => ({
    name,
    method,
    path: `/v2/${shelf.name}/${rest}`,
    repository: shelf.name,
    kind: more.kind ?? 'content',
    headers: { ...accept, ...more.headers },
    gives,
  });
  const again = { headers: { 'cache-control': 'no-cache' }, kind: 'revalidated' } as const;
  const range = { headers: { range: 'bytes=0-99' } };
  const known = { headers: { 'if-none-match': `"${index.digest}"` } };
  const there = { kind: 'asked there' } as const;
  return [
    made('tag', 'GET', `manifests/${shelf.tag}`, bytesOf(index.bytes)),
    made('HEAD of the tag', 'HEAD', `manifests/${shelf.tag}`, named(index.digest)),
    made('tag, looked up anew', 'GET', `manifests/${shelf.tag}`, bytesOf(index.bytes), again),
    made('digest', 'GET', `manifests/${index.digest}`, bytesOf(index.bytes)),
    made('HEAD of the digest', 'HEAD', `manifests/${index.digest}`, named(index.digest)),
    made('digest, known already', 'GET', `manifests/${index.digest}`, ({ status }) => status === 304, known),
    made('child of the index', 'GET', `manifests/${image.digest}`, bytesOf(image.bytes)),
    made('HEAD of the child', 'HEAD', `manifests/${image.digest}`, named(image.digest)),
    made('config', 'GET', `blobs/${image.config.digest}`, bytesOf(image.config.bytes())),
    made('HEAD of the config', 'HEAD', `blobs/${image.config.digest}`, sized(image.config.size), there),
    made('layer', 'GET', `blobs/${layer.digest}`, bytesOf(layer.bytes())),
    made('HEAD of the layer', 'HEAD', `blobs/${layer.digest}`, sized(layer.size), there),
    made('range of the layer', 'GET', `blobs/${layer.digest}`, bytesOf(layer.bytes()), range),
    made('referrers', 'GET', `referrers/${index.digest}`, says(shelf.signature.digest), there),
    made('list of tags', 'GET', 'tags/list', says(shelf.tag), there),
  ];
}

/** What lies on the shelf of the plans, asked for where a manifest merely names it. */
export function waysAround(): readonly Way[] {
  const { image } = shelves.plans;
  const layer = image.layers[0] ?? image.config;
  const gives = ({ status }: Told): boolean => status < 400;
  const parts = [
    ['layer', `blobs/${layer.digest}`],
    ['config', `blobs/${image.config.digest}`],
    ['child', `manifests/${image.digest}`],
  ] as const;
  return Object.values(namers).flatMap((repository) =>
    parts.flatMap(([what, rest]) =>
      ['GET', 'HEAD'].map((method): Way => ({
        name: `${method} of the ${what} by way of ${repository}`,
        method,
        path: `/v2/${repository}/${rest}`,
        repository,
        kind: 'naming',
        headers: accept,
        gives,
      })),
    ),
  );
}

/** For those who can push here: to be given, or to take over, what was never pushed here. */
export function waysByPushing(): readonly (Omit<Way, 'kind' | 'repository'> & { readonly body?: Buffer })[] {
  const { image } = shelves.plans;
  const layer = image.layers[0] ?? image.config;
  const gives = ({ status }: Told): boolean => status < 300 && status !== 202;
  const uploads = `/v2/local/namer/blobs/uploads/?mount=${layer.digest}`;
  const typed = ({ mediaType }: { readonly mediaType: string }) => ({ 'content-type': mediaType });
  const put = (name: string, manifest: typeof namingIndex) => ({
    name,
    method: 'PUT',
    path: `/v2/local/namer/manifests/1`,
    headers: typed(manifest),
    body: manifest.bytes,
    gives,
  });
  return [
    { name: 'mount of the layer', method: 'POST', path: `${uploads}&from=docker.io/team/plans`, gives },
    { name: 'mount from wherever it is', method: 'POST', path: uploads, gives },
    put('pushed manifest that names the layer', image),
    put('pushed index that names the child', namingIndex),
    { name: 'layer where it was named', method: 'GET', path: `/v2/local/namer/blobs/${layer.digest}`, gives },
    { name: 'child where it was named', method: 'GET', path: `/v2/local/namer/manifests/${image.digest}`, gives },
  ];
}

function sample(bytes: Buffer): Buffer {
  return bytes.subarray(0, sampleBytes);
}
