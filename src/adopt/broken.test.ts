import assert from 'node:assert/strict';
import { symlink } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { literalBlob } from '../../test/support/blobs.ts';
import { dataOf, pathOf, repositories } from '../../test/support/registry-volume.ts';
import type { RegistryVolume } from '../../test/support/registry-volume.ts';
import { parseTag } from '../oci/reference.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { LinkTree } from '../store/link-tree.ts';
import { assertHeld, docker, hosted, image, list, scene, tagsOf, troubles } from './testing.ts';

describe('what is broken in a volume', () => {
  const broken: readonly (readonly [
    what: string,
    breakIt: (volume: RegistryVolume) => Promise<unknown>,
    told: RegExp,
    unread?: string,
  ])[] = [
    ['an empty link', (at) => at.link('app', `_layers/${pathOf(docker.digest)}`, ''), /link: it is empty$/],
    [
      'a link that says another digest',
      (at) => at.link('app', `_layers/${pathOf(docker.digest)}`, image.digest),
      /it says "sha256/,
    ],
    ['a tag that says nothing', (at) => at.link('app', '_manifests/tags/bad/current', 'what'), /it says "what"$/],
    [
      'a tag of a manifest that is not there',
      (at) => at.tag('app', 'bad', docker.digest),
      /points at .* does not have$/,
    ],
    [
      'a tag that can be none',
      (at) => at.write(`${repositories}/app/_manifests/tags/-bad/current/link`, ''),
      /no tag can be called so$/,
    ],
    ['a digest that is none', (at) => at.link('app', '_layers/sha256/abc', ''), /called like no digest$/],
    ['an algorithm that nobody knows', (at) => at.link('app', '_layers/md5/abc', ''), /no algorithm/],
    ['a file among repositories', (at) => at.write(`${repositories}/notes.txt`, 'by hand'), /it is no directory$/],
    [
      'a name that can be none',
      (at) => at.link('Bad Name', '_layers/sha256/abc', ''),
      /no repository can be called so$/,
      'repositories/Bad Name',
    ],
    [
      'a symbolic link that leads in a circle',
      (at) => symlink('..', at.path(`${repositories}/app/circle`)),
      /symbolic link$/,
      'repositories/app/circle',
    ],
    [
      'a directory in the place of a link',
      (at) => at.link('app', `_layers/${pathOf(docker.digest)}/link`, ''),
      /cannot be read \(EISDIR\)$/,
    ],
    ['a manifest that is cut off', (at) => breakManifest(at, '{"schemaVersion": 2'), /not sha256|not JSON/],
    ['a manifest of schema 1', (at) => linkManifest(at, '{"schemaVersion": 1}'), /schema 1 is not supported/],
    ['a manifest that is none', (at) => linkManifest(at, 'binary'), /not JSON/],
  ];
  for (const [what, breakIt, told, unread] of broken) {
    test(`is told and passed over: ${what}`, async () => {
      await using at = await scene();
      await at.volume.push('app', 'latest', image);
      await breakIt(at.volume);
      const adoption = await at.start();
      adoption.begin();
      await adoption.look(hosted('app'));
      await adoption.finished();
      await assertHeld(at, hosted('app'), image);
      assert.equal((await tagsOf(at, hosted('app')))['latest'], image.digest);
      assert.match(troubles(at).join('\n'), new RegExp(told, 'm'));
      assert.equal(await at.index.tags.find(hosted('app'), parseTag('bad')), undefined);
      assert.equal(adoption.unread?.slice(-(unread ?? '').length), unread, 'what may need blobs of others');
    });
  }

  test('and held in the index stays held', async () => {
    await using at = await scene();
    await at.volume.push('app', 'latest', image);
    await at.volume.push('app', 'other', docker);
    await at.adopt();
    await at.volume.link('app', `_manifests/revisions/${pathOf(docker.digest)}`, '');
    await at.volume.link('app', '_manifests/tags/other/current', '');
    await at.adopt();
    assert.equal((await tagsOf(at, hosted('app')))['other'], docker.digest);
  });

  test('and cannot be read is not gone: nothing is forgotten, and nothing may be collected', async () => {
    await using at = await scene();
    await at.volume.push('app', 'latest', image);
    await at.volume.push('app', 'other', docker);
    await at.adopt();
    await at.volume.dropTag('app', 'other');
    await at.volume.push('app', 'more', list);
    const adoption = await at.start({ store: unreadable(at.store) });
    adoption.begin();
    while (!at.events.some(({ type }) => type === 'task.failed')) await nextTurn();
    assert.equal(adoption.isDone, false);
    assert.deepEqual(Object.keys(await tagsOf(at, hosted('app'))), ['latest', 'more', 'other']);
    await at.adopt();
    assert.deepEqual(Object.keys(await tagsOf(at, hosted('app'))), ['latest', 'more']);
  });
});

/** As if part of every repository belonged to another user. */
function unreadable(store: BlobStore & LinkTree): BlobStore {
  const readLinks: LinkTree['readLinks'] = async (...of) => ({ ...(await store.readLinks(...of)), whole: false });
  return new Proxy(store, {
    get: (target, name) => {
      const value: unknown = name === 'readLinks' ? readLinks : Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

async function linkManifest(volume: RegistryVolume, text: string): Promise<void> {
  const content = literalBlob(text);
  await volume.blob(content);
  await volume.link('app', `_manifests/revisions/${pathOf(content.digest)}`, content.digest);
}

async function breakManifest(volume: RegistryVolume, text: string): Promise<void> {
  await volume.write(dataOf(docker.digest), text);
  await volume.link('app', `_manifests/revisions/${pathOf(docker.digest)}`, docker.digest);
}
