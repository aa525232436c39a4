/**
 * How the index answers when it is big: 100,000 manifests that refer to 1,000,000 blobs, all of them held.
 *
 *   node bench/index-scale.ts            prints JSON; exit code 1 when a bar is missed
 *   node bench/index-scale.ts 10000      with a tenth of the manifests
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Index } from '../src/index/contract.ts';
import { encodeDigest } from '../src/index/sqlite/digests.ts';
import { openSqliteIndex } from '../src/index/sqlite/index.ts';
import { digestOf } from '../src/oci/digest.ts';
import type { Digest } from '../src/oci/digest.ts';
import { parseManifest } from '../src/oci/manifest.ts';
import type { Descriptor } from '../src/oci/manifest.ts';
import { mediaTypes } from '../src/oci/media-types.ts';
import { parseRepositoryName, parseTag } from '../src/oci/reference.ts';
import type { Tag } from '../src/oci/reference.ts';
import type { RepositoryKey } from '../src/oci/repository.ts';

/** In milliseconds. */
const bars = { openMs: 1_000, catalogPageMs: 10, tagPageMs: 10, candidatesMs: 50 } as const;
/** Of four images each; one repository holds a fifth of everything. */
const imagesPerIndex = 4;
const blobsPerImage = 12.5;
const repositoriesPerManifest = 1 / 50;
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
    const content = fill(path, manifests);
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

interface Filled {
  readonly repositories: readonly RepositoryKey[];
  readonly images: readonly Placed[];
  readonly tagged: readonly { readonly key: RepositoryKey; readonly tag: Tag }[];
  readonly blobs: readonly { readonly key: RepositoryKey; readonly digest: Digest }[];
}

interface Placed {
  readonly key: RepositoryKey;
  readonly digest: Digest;
}

/** Goes around the contract, in one transaction: through it, it would take an hour. The schema's triggers do their part. */
function fill(path: string, manifests: number): Filled {
  using database = new DatabaseSync(path);
  database.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -400000; BEGIN');
  const addContent = database.prepare(
    'INSERT INTO contents (digest, last_used) VALUES (?, ?) ON CONFLICT DO UPDATE SET last_used = last_used RETURNING id',
  );
  const addRepository = database.prepare(
    "INSERT INTO repositories (upstream, name, display) VALUES ('docker.io', ?, ?) RETURNING id",
  );
  const addManifest = database.prepare('INSERT INTO manifests (content, media_type, bytes) VALUES (?, ?, ?)');
  const hold = database.prepare(
    'INSERT INTO held (repository, manifest, stored_at, last_used, hosted) VALUES (?, ?, ?, ?, 0)',
  );
  const refer = database.prepare('INSERT INTO refs (repository, parent, child, size) VALUES (?, ?, ?, ?)');
  const point = database.prepare('INSERT INTO tags (repository, name, manifest, checked_at) VALUES (?, ?, ?, 1)');
  const addMember = database.prepare('INSERT INTO members (content, repository, added_at) VALUES (?, ?, 1)');
  const store = database.prepare('UPDATE contents SET size = ? WHERE id = ?');
  const random = randomFrom('index-scale');
  const idOf = (digest: Digest, usedMs: number): number => Number(addContent.get(encodeDigest(digest), usedMs)?.['id']);

  const names = Array.from(
    { length: Math.ceil(manifests * repositoriesPerManifest) },
    (_, each) => `team-${each % 97}/app-${each}`,
  );
  const repositories = names.map((name): RepositoryKey => ({ upstream: 'docker.io', name: parseRepositoryName(name) }));
  const ids = names.map((name) => Number(addRepository.get(name, `docker.io/${name}`)?.['id']));
  const filled = {
    repositories,
    images: [] as Placed[],
    tagged: [] as Filled['tagged'][number][],
    blobs: [] as Placed[],
  };

  const put = (repository: number, text: string, mediaType: string, children: readonly Descriptor[]): Descriptor => {
    const [bytes, usedMs] = [Buffer.from(text), 1 + random(1_000_000)];
    const digest = digestOf(bytes);
    const id = idOf(digest, 0);
    addManifest.run(id, mediaType, bytes);
    hold.run(ids[repository] ?? 0, id, usedMs, usedMs);
    for (const child of children) refer.run(ids[repository] ?? 0, id, idOf(child.digest, usedMs), child.size);
    return { digest, size: bytes.length, mediaType };
  };

  let serial = 0;
  const images = (count: number, repository: number): readonly Descriptor[] =>
    Array.from({ length: count }, () => {
      const layers = Array.from(
        { length: serial % 2 === 0 ? blobsPerImage - 0.5 : blobsPerImage + 0.5 },
        (_, each) => ({
          mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
          digest: digestOf(`blob ${serial}.${each}`),
          size: 1_000 + random(50_000_000),
        }),
      );
      serial += 1;
      const [config, ...rest] = layers;
      const text = JSON.stringify(
        { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: rest },
        undefined,
        2,
      );
      const image = put(repository, text, mediaTypes.ociManifest, layers);
      for (const { digest, size } of layers) {
        const id = idOf(digest, 0);
        store.run(size, id);
        addMember.run(id, ids[repository] ?? 0);
        filled.blobs.push({ key: repositories[repository] as RepositoryKey, digest });
      }
      return image;
    });

  for (let each = 0; each < manifests / (imagesPerIndex + 1); each += 1) {
    const repository = each % 5 === 0 ? 0 : 1 + random(repositories.length - 1);
    const key = repositories[repository] as RepositoryKey;
    const children = images(imagesPerIndex, repository);
    const text = JSON.stringify(
      { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: children },
      undefined,
      2,
    );
    const index = put(repository, text, mediaTypes.ociIndex, children);
    for (const [nth, { digest }] of [index, ...children].entries()) {
      const tag = parseTag(nth === 0 ? `v${each}` : `v${each}-${nth}`);
      point.run(ids[repository] ?? 0, tag, idOf(digest, 0));
      filled.tagged.push({ key, tag });
      filled.images.push({ key, digest });
    }
  }
  database.exec('COMMIT; PRAGMA wal_checkpoint(TRUNCATE)');
  return filled;
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
    pinEverythingMs: await slowestOf(1, () => index.keeping.pin('**')),
    unpinEverythingMs: await slowestOf(1, () => index.keeping.unpin('**')),
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

/** The same numbers in every run. */
function randomFrom(seed: string): (below: number) => number {
  let state = createHash('sha256').update(seed).digest().readUInt32LE(0);
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

if (import.meta.main) {
  const report = await measureIndexScale(Number(process.argv[2] ?? 100_000));
  console.log(JSON.stringify(report, undefined, 2));
  if (report.missed.length > 0) process.exitCode = 1;
}
