/** Random operations on an index and on its model: after each, both say the same. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Candidate, Index } from '../../src/index/contract.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { Manifest } from '../../src/oci/manifest.ts';
import type { Tag } from '../../src/oci/reference.ts';
import type { RepositoryKey } from '../../src/oci/repository.ts';
import { app, blob, displayOf, etcd, image, imageIndex, latest, redis, store, tag } from './index-fixtures.ts';
import { IndexModel } from './index-model.ts';
import type { MakeIndex } from './index.ts';

/** Throws with the seed and the shortest operations that tell them apart. */
export async function assertLikeModel(make: MakeIndex, numRuns: number): Promise<void> {
  const property = fc.asyncProperty(fc.commands(operations, { maxCommands: 60, size: 'max' }), async (commands) => {
    await using subject = await make();
    const { index } = subject;
    const model = new IndexModel();
    await fc.asyncModelRun(() => ({ model, real: index }), commands);
    await assertSame(model, index);
  });
  await fc.assert(property, { numRuns });
}

type Operation = fc.AsyncCommand<IndexModel, Index>;

const repositories = [redis, etcd, app];
const tags = [latest, tag('7')];
const base = blob('base', 1_000);
const config = blob('config', 4);
const amd64 = image([base, blob('one', 20)]);
const arm64 = image([base, blob('two', 300)]);
const windows = image([config, blob('other', 50_000)]);
const blobs = [base, config, blob('one', 20), blob('two', 300), blob('other', 50_000)];
const everywhere = imageIndex([amd64, arm64]);
const elsewhere = imageIndex([arm64, windows]);
const nested = imageIndex([everywhere, windows]);
const signature = image([config], { subject: amd64 });
const manifests = [amd64, arm64, windows, everywhere, elsewhere, nested, signature];
const digests = [...blobs, ...manifests].map(({ digest }) => digest);
const pins = repositories.map(displayOf).flatMap((name) => [`${name}:latest`, `${name}:*`, `${name}@${arm64.digest}`]);

const anyRepository = fc.constantFrom(...repositories);
const anyManifest = fc.constantFrom(...manifests);
const anyBlob = fc.constantFrom(...blobs);
const anyTag = fc.constantFrom(...tags);
const anyDigest = fc.constantFrom(...digests);
const anyPin = fc.constantFrom(...pins);
const anyTime = fc.integer({ min: 1, max: 1_000 });

const puts = fc.tuple(anyRepository, anyManifest, anyTime).map(([key, manifest, atMs]) =>
  operation(`put ${nameOf(manifest)} into ${displayOf(key)} at ${atMs}`, async (model, index) => {
    model.put(key, manifest, atMs);
    await index.manifests.put(key, manifest, atMs);
  }),
);

const stores = fc.tuple(anyBlob, anyTime).map(([content, atMs]) =>
  operation(`store ${content.size} bytes at ${atMs}`, async (model, index) => {
    model.store(content.digest, content.size, atMs);
    await store(index, content, atMs);
  }),
);

const operations: fc.Arbitrary<Operation>[] = [
  puts,
  puts,
  stores,
  stores,
  fc.tuple(anyRepository, anyManifest, fc.boolean()).map(([key, manifest, gone]) =>
    operation(`mark ${nameOf(manifest)} in ${displayOf(key)} ${gone ? 'gone' : 'there'}`, async (model, index) => {
      model.mark(key, manifest.digest, gone);
      await index.manifests.mark(key, manifest.digest, gone);
    }),
  ),
  fc.tuple(anyRepository, anyManifest).map(([key, manifest]) =>
    operation(`remove ${nameOf(manifest)} from ${displayOf(key)}`, async (model, index) => {
      assert.equal(await index.manifests.remove(key, manifest.digest), model.remove(key, manifest.digest));
    }),
  ),
  fc.tuple(anyRepository, anyTag, anyManifest, anyTime).map(([key, name, manifest, atMs]) =>
    operation(`see ${displayOf(key)}:${name} at ${nameOf(manifest)} at ${atMs}`, async (model, index) => {
      model.see(key, name, manifest, atMs);
      await index.tags.see(key, name, manifest, atMs);
    }),
  ),
  fc.tuple(anyRepository, anyTag, anyManifest, anyTime).map(([key, name, manifest, atMs]) =>
    operation(`point ${displayOf(key)}:${name} at ${nameOf(manifest)} at ${atMs}`, async (model, index) => {
      const pointing = index.tags.point(key, name, manifest.digest, atMs);
      if (model.point(key, name, manifest.digest, atMs)) await pointing;
      else await assert.rejects(pointing, { code: 'MANIFEST_UNKNOWN', origin: 'entrepot' });
    }),
  ),
  fc.tuple(anyRepository, anyTag, fc.oneof(fc.constant(0), anyTime)).map(([key, name, atMs]) =>
    operation(`confirm ${displayOf(key)}:${name} at ${atMs}`, async (model, index) => {
      model.confirm(key, name, atMs);
      await index.tags.confirm(key, name, atMs);
    }),
  ),
  fc.tuple(anyRepository, anyTag).map(([key, name]) =>
    operation(`untag ${displayOf(key)}:${name}`, async (model, index) => {
      assert.equal(await index.tags.remove(key, name), model.untag(key, name));
    }),
  ),
  fc.tuple(anyRepository, anyBlob).map(([key, { digest, size }]) =>
    operation(`member of ${displayOf(key)}: ${size} bytes`, async (model, index) => {
      model.addMember(key, digest);
      await index.blobs.addMember(key, digest, 1);
    }),
  ),
  anyBlob.map(({ digest, size }) =>
    operation(`forget ${size} bytes`, async (model, index) => {
      model.forget(digest);
      await index.blobs.forget(digest);
    }),
  ),
  fc.tuple(anyRepository, fc.boolean(), anyTime).map(([key, isPublic, checkedAtMs]) =>
    operation(`${displayOf(key)} is ${isPublic ? 'public' : 'private'}`, async (model, index) => {
      model.setVisibility(key, { public: isPublic, checkedAtMs });
      await index.repositories.setVisibility(key, { public: isPublic, checkedAtMs });
    }),
  ),
  fc.array(fc.record({ repository: anyRepository, digest: anyDigest, atMs: anyTime }), { maxLength: 5 }).map((uses) =>
    operation(`touch ${JSON.stringify(uses)}`, async (model, index) => {
      for (const use of uses) model.touch(use);
      await index.keeping.touch(uses);
    }),
  ),
  fc.nat({ max: 20 }).map((nth) =>
    operation(`evict candidate ${nth}`, async (model, index) => {
      const candidates = await assertSameCandidates(model, index);
      const chosen = candidates[nth % Math.max(candidates.length, 1)];
      if (chosen !== undefined) await assertSameEviction(model, index, chosen);
    }),
  ),
  fc.tuple(anyRepository, anyManifest).map(([repository, manifest]) =>
    operation(`purge ${nameOf(manifest)} from ${displayOf(repository)}`, async (model, index) => {
      const { digest } = manifest;
      await assertSameEviction(model, index, {
        repository,
        manifest: digest,
        blob: undefined,
        lastUsedMs: 0,
        gone: false,
      });
    }),
  ),
  anyPin.map((pattern) =>
    operation(`pin ${pattern}`, async (model, index) => {
      model.pin(pattern);
      await index.pins.pin(pattern);
    }),
  ),
  anyPin.map((pattern) =>
    operation(`unpin ${pattern}`, async (model, index) => {
      assert.equal(await index.pins.unpin(pattern), model.unpin(pattern));
    }),
  ),
];

function operation(label: string, run: (model: IndexModel, index: Index) => Promise<void>): Operation {
  return {
    check: () => true,
    run: async (model, index) => {
      await run(model, index);
      assert.deepEqual(await index.repositories.statistics(), model.statistics());
      await assertSameCandidates(model, index);
    },
    toString: () => label,
  };
}

function nameOf(manifest: Manifest): string {
  return (
    ['amd64', 'arm64', 'windows', 'everywhere', 'elsewhere', 'nested', 'signature'][manifests.indexOf(manifest)] ?? ''
  );
}

async function assertSameEviction(model: IndexModel, index: Index, candidate: Candidate): Promise<void> {
  const dropped = await index.keeping.evict(candidate);
  assert.deepEqual([...dropped].sort(), [...model.evict(candidate)].sort());
}

/** The same candidates in an order in which nothing comes before what should go first; equals may come as they like. */
async function assertSameCandidates(model: IndexModel, index: Index): Promise<readonly Candidate[]> {
  const candidates = await index.keeping.candidates(1_000);
  const rank = ({ gone, lastUsedMs }: Candidate): number => (gone ? 10_000 : 0) + lastUsedMs;
  const ranks = candidates.map(rank);
  assert.deepEqual(
    ranks,
    [...ranks].sort((a, b) => a - b),
    'candidates are in order',
  );
  const comparable = (each: Candidate): string =>
    JSON.stringify({ ...each, repository: each.repository && displayOf(each.repository) });
  assert.deepEqual(candidates.map(comparable).sort(), model.candidates().map(comparable).sort());
  return candidates;
}

async function assertSame(model: IndexModel, index: Index): Promise<void> {
  assert.equal(await index.keeping.cachedBytes(), model.cachedBytes());
  assert.deepEqual((await index.repositories.images({ limit: 1_000, last: undefined }, '')).items, model.images());
  for (const digest of digests) assert.equal(await index.blobs.stored(digest), model.storedSize(digest));
  for (const key of repositories) {
    for (const name of tags) await assertSameTag(model, index, key, name);
    for (const digest of digests) await assertSameContent(model, index, key, digest);
  }
}

async function assertSameTag(model: IndexModel, index: Index, key: RepositoryKey, name: Tag): Promise<void> {
  assert.deepEqual(await index.tags.find(key, name), model.room(key).tags.get(name));
}

async function assertSameContent(model: IndexModel, index: Index, key: RepositoryKey, digest: Digest): Promise<void> {
  const { held } = model.room(key);
  assert.equal(await index.blobs.standing(key, digest), model.standing(key, digest));
  const found = await index.manifests.find(key, digest);
  const expected = held.get(digest);
  assert.equal(found?.storedAtMs, expected?.storedAtMs);
  assert.deepEqual(found && Buffer.from(found.bytes), expected && Buffer.from(expected.manifest.bytes));
  const described = await index.manifests.described(key, digest);
  const children = [...held.values()].flatMap(({ manifest }) => manifest.children);
  assert.equal(described?.size, children.find((child) => child.digest === digest)?.size);
  const referrers = [...held.values()].filter(({ manifest }) => manifest.subject === digest);
  const listed = await index.manifests.referrers(key, digest);
  assert.deepEqual(
    listed.map((each) => each.digest),
    referrers.map(({ manifest }) => manifest.digest).sort(),
  );
}
