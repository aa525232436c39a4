/**
 * Calls of a big index, timed in this process.
 */
import type { Index } from '../../src/index/contract.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { parseManifest } from '../../src/oci/manifest.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { randomFrom } from './index-fill.ts';
import type { Filled, Placed } from './index-fill.ts';
import { mean, median } from './statistics.ts';

/** In milliseconds. */
export interface Timed {
  readonly mean: number;
  readonly median: number;
  readonly slowest: number;
}

const pageEntries = 1_000;

/** What answering one request asks, each over many that are chosen at random. */
export async function timePoints(index: Index, filled: Filled): Promise<Readonly<Record<string, Timed>>> {
  const random = randomFrom('points');
  const pick = <T>(items: readonly T[]): T => items[random(items.length)] as T;
  const image = (): Placed => pick(filled.images);
  const blob = (): Placed => pick(filled.blobs);
  return {
    'manifests.find': await timed(20_000, image, ({ key, digest }) => index.manifests.find(key, digest)),
    'tags.find': await timed(
      20_000,
      () => pick(filled.tagged),
      ({ key, tag }) => index.tags.find(key, tag),
    ),
    'blobs.standing': await timed(20_000, blob, ({ key, digest }) => index.blobs.standing(key, digest)),
    'manifests.described': await timed(2_000, blob, ({ key, digest }) => index.manifests.described(key, digest)),
    'tags.confirm': await timed(
      2_000,
      () => pick(filled.tagged),
      ({ key, tag }) => index.tags.confirm(key, tag, 5),
    ),
    'keeping.touch': await timed(2_000, blob, ({ key, digest }) =>
      index.keeping.touch([{ repository: key, digest, atMs: 2_000_000 + random(1_000_000) }]),
    ),
  };
}

/** Listings, choices, and writes. */
export async function timePages(index: Index, filled: Filled): Promise<Readonly<Record<string, Timed>>> {
  const random = randomFrom('pages');
  const big = filled.repositories[0];
  if (big === undefined) throw new Error('the index has no repository');
  const somewhere = (): string => `docker.io/team-${random(97)}/`;
  const page = (last: string | undefined) => ({ limit: pageEntries, last });
  const chooseAndEvict = async (): Promise<void> => {
    const [candidate] = await index.keeping.candidates(1);
    if (candidate !== undefined) await index.keeping.evict(candidate);
  };
  return {
    catalogPage: await timed(50, somewhere, (last) => index.repositories.list(page(last))),
    tagPage: await timed(
      50,
      () => `v${random(20_000)}`,
      (last) => index.tags.list(big, page(last)),
    ),
    candidates: await timed(
      20,
      () => pageEntries,
      (limit) => index.keeping.candidates(limit),
    ),
    evict: await timed(100, () => undefined, chooseAndEvict),
    imagesPage: await timed(10, somewhere, (last) => index.repositories.images(page(last), '')),
    put: await timed(
      100,
      () => someImage(random),
      (image) => index.manifests.put(big, image, 9_000_000),
    ),
  };
}

function someImage(random: (below: number) => number): ReturnType<typeof parseManifest> {
  const layers = Array.from({ length: 12 }, () => ({
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    digest: digestOf(`new blob ${random(2 ** 31)}`),
    size: random(50_000_000),
  }));
  const content = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: layers[0], layers };
  return parseManifest(Buffer.from(JSON.stringify(content)), '');
}

async function timed<T>(count: number, choose: () => T, call: (chosen: T) => Promise<unknown>): Promise<Timed> {
  const chosen = Array.from({ length: count }, choose);
  const times: number[] = [];
  for (const each of chosen) {
    const startedAt = performance.now();
    await call(each);
    times.push(performance.now() - startedAt);
  }
  return { mean: mean(times), median: median(times), slowest: Math.max(...times) };
}
