/**
 * How the index answers when it is big: 100,000 manifests that refer to 1,000,000 blobs, all of them held.
 *
 *   node bench/index-scale.ts            prints JSON; exit code 1 when a bar is missed
 *   node bench/index-scale.ts 10000      with a tenth of the manifests
 */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Index } from '../src/index/contract.ts';
import { openSqliteIndex } from '../src/index/sqlite/index.ts';
import { digestOf } from '../src/oci/digest.ts';
import { parseManifest } from '../src/oci/manifest.ts';
import { mediaTypes } from '../src/oci/media-types.ts';
import type { RepositoryKey } from '../src/oci/repository.ts';
import { fillIndex, randomFrom } from './support/index-fill.ts';
import type { Filled, Placed } from './support/index-fill.ts';

/** In milliseconds. */
const bars = { openMs: 1_000, catalogPageMs: 10, tagPageMs: 10, candidatesMs: 50 } as const;
const pageEntries = 1_000;

export interface ScaleReport {
  readonly manifests: number;
  readonly blobs: number;
  readonly bytes: number;
  readonly fillMs: number;
  readonly openMs: number;
  /** Microseconds a call, each over thousands of calls. */
  readonly pointUs: Readonly<Record<string, number>>;
  /** Milliseconds of the slowest of some calls. */
  readonly slowestMs: Readonly<Record<string, number>>;
  readonly missed: readonly string[];
}

export async function measureIndexScale(manifests: number): Promise<ScaleReport> {
  const directory = await mkdtemp(join(tmpdir(), 'entrepot-bench-'));
  const path = join(directory, 'index.db');
  try {
    await (await openSqliteIndex({ path }))[Symbol.asyncDispose]();
    const fillStarted = performance.now();
    const content = fillIndex(path, manifests);
    const fillMs = performance.now() - fillStarted;
    const { size } = await stat(path);
    const openStarted = performance.now();
    const index = await openSqliteIndex({ path });
    const { blobs } = await index.repositories.statistics();
    const openMs = performance.now() - openStarted;
    const pointUs = await points(index, content);
    const slowestMs = await pages(index, content);
    await index[Symbol.asyncDispose]();
    const measured: Readonly<Record<string, number>> = { ...slowestMs, openMs };
    const missed = Object.entries(bars).filter(([name, barMs]) => (measured[name] ?? Infinity) > barMs);
    return { manifests, blobs, bytes: size, fillMs, openMs, pointUs, slowestMs, missed: missed.map(([name]) => name) };
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function points(index: Index, { images, tagged, blobs }: Filled): Promise<Readonly<Record<string, number>>> {
  const random = randomFrom('points');
  const pick = <T>(items: readonly T[]): T => items[random(items.length)] as T;
  return {
    'manifests.find': await averageUs(
      20_000,
      () => pick(images),
      ({ key, digest }) => index.manifests.find(key, digest),
    ),
    'tags.find': await averageUs(
      20_000,
      () => pick(tagged),
      ({ key, tag }) => index.tags.find(key, tag),
    ),
    'blobs.standing': await averageUs(
      20_000,
      () => pick(blobs),
      ({ key, digest }) => index.blobs.standing(key, digest),
    ),
    'blobs.stored': await averageUs(
      20_000,
      () => pick(blobs),
      ({ digest }) => index.blobs.stored(digest),
    ),
    'manifests.described': await averageUs(
      2_000,
      () => pick(blobs),
      ({ key, digest }) => index.manifests.described(key, digest),
    ),
    'keeping.heldBytes': await averageUs(
      2_000,
      () => 0,
      () => index.keeping.heldBytes(),
    ),
    'tags.confirm': await averageUs(
      2_000,
      () => pick(tagged),
      ({ key, tag }) => index.tags.confirm(key, tag, 5),
    ),
    'keeping.touch of 1': await averageUs(
      2_000,
      () => pick(blobs),
      ({ key, digest }) => index.keeping.touch([{ repository: key, digest, atMs: 2_000_000 + random(1_000_000) }]),
    ),
    'blobs.store': await averageUs(
      1_000,
      () => pick(blobs),
      async ({ digest }) => {
        const lease = await index.leases.acquire(`download:${digest}`, 'bench', 1_000, 1);
        if (lease === undefined) return;
        await index.blobs.store(digest, 5, lease, 1);
        await index.leases.release(lease, '');
      },
    ),
  };
}

async function pages(index: Index, { repositories, blobs }: Filled): Promise<Readonly<Record<string, number>>> {
  const random = randomFrom('pages');
  const somewhere = (): string => `docker.io/team-${random(97)}/`;
  const big = repositories[0] as RepositoryKey;
  const atMs = 9_000_000;
  const uses = Array.from({ length: 1_000 }, () => blobs[random(blobs.length)] as Placed);
  const page = (last: string | undefined) => ({ limit: pageEntries, last });
  return {
    catalogPageMs: await slowestOf(50, () => index.repositories.list(page(somewhere()))),
    tagPageMs: await slowestOf(50, () => index.tags.list(big, page(`v${random(20_000)}`))),
    candidatesMs: await slowestOf(20, () => index.keeping.candidates(pageEntries)),
    evictMs: await slowestOf(200, async () => {
      const [candidate] = await index.keeping.candidates(1);
      if (candidate !== undefined) await index.keeping.evict(candidate);
    }),
    imagesPageMs: await slowestOf(10, () => index.repositories.images(page(somewhere()), '')),
    imagesOfBigMs: await slowestOf(10, () => index.repositories.images(page(undefined), `docker.io/${big.name}`)),
    statisticsMs: await slowestOf(10, () => index.repositories.statistics()),
    scrubPageMs: await slowestOf(10, () => index.blobs.list(digestOf(somewhere()), pageEntries)),
    touchOf1000Ms: await slowestOf(1, () =>
      index.keeping.touch(uses.map(({ key, digest }) => ({ repository: key, digest, atMs }))),
    ),
    putMs: await slowestOf(200, () => index.manifests.put(big, someImage(random), atMs)),
    pinEverythingMs: await slowestOf(1, () => index.pins.pin('**')),
    unpinEverythingMs: await slowestOf(1, () => index.pins.unpin('**')),
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

async function averageUs<T>(count: number, choose: () => T, call: (chosen: T) => Promise<unknown>): Promise<number> {
  const chosen = Array.from({ length: count }, choose);
  const started = performance.now();
  for (const each of chosen) await call(each);
  return rounded(((performance.now() - started) / count) * 1_000);
}

async function slowestOf(count: number, call: () => Promise<unknown>): Promise<number> {
  let slowest = 0;
  for (let each = 0; each < count; each += 1) {
    const started = performance.now();
    await call();
    slowest = Math.max(slowest, performance.now() - started);
  }
  return rounded(slowest);
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

if (import.meta.main) {
  const report = await measureIndexScale(Number(process.argv[2] ?? 100_000));
  console.log(JSON.stringify(report, undefined, 2));
  if (report.missed.length > 0) process.exitCode = 1;
}
