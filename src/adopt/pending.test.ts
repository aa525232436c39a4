import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { blob, image as imageOf, latest } from '../../test/contracts/index-fixtures.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { createHosted } from '../hosted/hosted.ts';
import { parseDigest } from '../oci/digest.ts';
import { parseTag } from '../oci/reference.ts';
import type { Ask, RepositoryKey, WritableRepository } from '../oci/repository.ts';
import { docker, hosted, image, scene } from './testing.ts';
import type { Scene } from './testing.ts';

const ask: Ask = { asker: { kind: 'anonymous' }, revalidate: false, requestId: 'r' };
const pushed = imageOf([blob('config', 10)]);
const key = hosted('app');

function repositoryOf({ store, index }: Scene, of: RepositoryKey): WritableRepository {
  const rules = {
    isImmutable: () => false,
    sparse: true,
    untaggedGo: false,
    deletes: true,
    readOnly: false,
    mayHoldUrl: () => false,
    mustBeThere: () => true,
  };
  return createHosted({
    store,
    index,
    clock: new FakeClock(),
    observer: { emit: () => {} },
    holder: 'tester',
    isGone: () => false,
    rules: () => rules,
    uploads: () => ({ idleMsMax: 1, everyMs: 1, dryRun: false }),
    noticesOf: () => [],
    mayRead: async () => {},
    mayMount: async () => true,
  }).repository(of);
}

async function push(repository: WritableRepository, tag = latest): Promise<void> {
  await repository.put(pushed, [tag], ask);
}

describe('a repository whose links are still to be written', () => {
  test('is pulled from and pushed to at once, and what it lacks is waited for', async () => {
    await using at = await scene();
    await at.volume.push('app', 'theirs', image);
    await push(repositoryOf(at, key));
    const gate = Promise.withResolvers<boolean>();
    const drain = async (): Promise<boolean> => (await gate.promise) && at.writer.drain();
    const adoption = await at.start({ drain });
    adoption.begin();
    const repository = await adoption.reconciled(repositoryOf(at, key));
    assert.equal((await repository.resolve(latest, ask))?.value.digest, pushed.digest);
    assert.equal((await repository.manifest(pushed.digest, ask))?.value.digest, pushed.digest);
    await push(repository, parseTag('more'));
    assert.equal((await repository.resolve(parseTag('more'), ask))?.value.digest, pushed.digest);
    assert.equal(await repository.remove(parseTag('more'), ask), true);
    let waited = true;
    const theirs = repository.resolve(parseTag('theirs'), ask).finally(() => (waited = false));
    const tags = repository.tags({ limit: 10, last: undefined }, ask);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(waited, true);
    gate.resolve(true);
    assert.equal((await theirs)?.value.digest, image.digest);
    assert.deepEqual((await tags)?.value.items, ['latest', 'theirs']);
    await adoption.finished();
  });

  test('is written before the others when somebody asks for what it lacks', async () => {
    await using at = await scene();
    await at.volume.push('app', 'theirs', image);
    const others = Array.from({ length: 600 }, (_, nth) => parseTag(`t${nth}`));
    await repositoryOf(at, hosted('other')).put(pushed, others, ask);
    await push(repositoryOf(at, key));
    const [asked, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const write = at.store.writeLinks.bind(at.store);
    let batches = 0;
    at.store.writeLinks = async (links) => {
      if (links.every(({ repository }) => repository === 'app')) return write(links);
      batches += 1;
      await (batches === 1 ? asked : gate).promise;
    };
    const drain = (only?: RepositoryKey): Promise<boolean> => {
      const drained = at.writer.drain(only);
      if (only !== undefined) asked.resolve();
      return drained;
    };
    const adoption = await at.start({ drain });
    adoption.begin();
    const repository = await adoption.reconciled(repositoryOf(at, key));
    assert.equal((await repository.resolve(parseTag('theirs'), ask))?.value.digest, image.digest);
    assert.equal(await repository.resolve(parseTag('nobodys'), ask), undefined);
    assert.equal(adoption.progress.state, 'waiting');
    gate.resolve();
    await adoption.finished();
  });

  test('holds up no other repository', async () => {
    await using at = await scene();
    await at.volume.push('other', 'theirs', image);
    await push(repositoryOf(at, key));
    const adoption = await at.start({ drain: () => new Promise(() => {}) });
    adoption.begin();
    const other = await adoption.reconciled(repositoryOf(at, hosted('other')));
    assert.equal((await other.resolve(parseTag('theirs'), ask))?.value.digest, image.digest);
  });

  test('is read link by link where somebody asks for just that', async () => {
    await using at = await scene();
    await at.volume.push('app', 'theirs', image);
    let reads = 0;
    const read = at.store.readLinks.bind(at.store);
    at.store.readLinks = (...of) => {
      reads += 1;
      return read(...of);
    };
    const adoption = await at.start({ drain: () => new Promise(() => {}) });
    adoption.begin();
    const repository = await adoption.reconciled(repositoryOf(at, key));
    const theirs = parseTag('theirs');
    assert.equal((await repository.resolve(theirs, ask))?.value.digest, image.digest);
    assert.deepEqual(
      Buffer.from((await repository.manifest(theirs, ask))?.value.bytes ?? []),
      Buffer.from(image.bytes),
    );
    const [layer] = image.blobs;
    assert.equal((await repository.stat(parseDigest(layer?.digest ?? ''), ask))?.value.size, layer?.size);
    assert.equal(reads, 0);
    await at.volume.push('app', 'theirs', docker);
    assert.equal((await repository.resolve(theirs, ask))?.value.digest, docker.digest);
    await at.volume.dropTag('app', 'theirs');
    assert.equal(await repository.resolve(theirs, ask), undefined);
    assert.equal(reads, 1, 'that it is gone was believed once everything was read');
    assert.deepEqual((await repository.tags({ limit: 10, last: undefined }, ask))?.value.items, []);
  });

  test('keeps nobody from ending, who would only wait for it', async () => {
    await using at = await scene();
    await push(repositoryOf(at, key));
    const adoption = await at.start({ drain: () => new Promise(() => {}) });
    adoption.begin();
    const asked = (await adoption.reconciled(repositoryOf(at, key))).resolve(parseTag('theirs'), ask);
    const refused = assert.rejects(asked, { code: 'UNAVAILABLE' });
    await adoption[Symbol.asyncDispose]();
    await refused;
    assert.deepEqual(at.events, []);
  });
});
