import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseDigest } from '../oci/digest.ts';
import { CountingUpstream } from '../../test/support/counting-upstream.ts';
import { makeArtifact, makeImage } from '../../test/support/images.ts';
import * as faults from '../../test/support/upstream-faults.ts';
import { listBytesMax } from './lists.ts';
import { nextLink } from './pages.ts';
import { failureOf, makeRig } from './testing.ts';

const image = makeImage();
const tags = ['1', '10', '2', '3', '4'];

async function start(pageSize?: number): Promise<CountingUpstream> {
  const registry = await CountingUpstream.start({
    auth: { kind: 'bearer' },
    ...(pageSize === undefined ? {} : { pageSize }),
  });
  for (const tag of tags) registry.publish(`library/redis:${tag}`, image);
  return registry;
}

/** Every page, as a client would walk them. */
async function walk(registry: CountingUpstream, limit: number): Promise<string[][]> {
  await using rig = makeRig(registry.origin);
  const pages: string[][] = [];
  let last: string | undefined;
  do {
    const page = await rig.repository.tags({ limit, last }, 'anonymous');
    assert.ok(page);
    pages.push([...page.items]);
    last = page.next;
  } while (last !== undefined && pages.length < 10);
  return pages;
}

const json = (value: unknown, headers: Record<string, string> = {}): faults.Fault =>
  faults.status(200, { 'content-type': 'application/json', ...headers }, JSON.stringify(value));

describe('tags', () => {
  test('come in the pages that the upstream makes', async () => {
    await using registry = await start();
    assert.deepEqual(await walk(registry, 2), [['1', '10'], ['2', '3'], ['4']]);
    assert.equal(registry.count({ path: '/tags/list', status: 200 }), 3);
    assert.equal(registry.count({ path: '/token' }), 1);
  });

  test('come in smaller pages when the upstream wants it so', async () => {
    await using registry = await start(1);
    assert.deepEqual(
      await walk(registry, 100),
      tags.map((tag) => [tag]),
    );
  });

  test('of an upstream that ignores paging are paged here', async () => {
    await using registry = await start();
    registry.fault({ path: '/tags/list' }, json({ tags: ['4', '2', '10', '1', '3'] }));
    assert.deepEqual(await walk(registry, 2), [['1', '10'], ['2', '3'], ['4']]);
  });

  test('of an upstream that pages by a cursor of its own are read to the end', async () => {
    await using registry = await start();
    registry.fault({ path: 'next_page=b' }, json({ tags: ['4'] }));
    const second = { link: '</v2/library/redis/tags/list?n=2&next_page=b>; rel="next"' };
    registry.fault({ path: 'next_page=a' }, json({ tags: ['2', '3'] }, second));
    const first = { link: '</v2/library/redis/tags/list?n=2&next_page=a>; rel="next"' };
    registry.fault({ path: '/tags/list?n=' }, json({ tags: ['1', '10'] }, first));
    assert.deepEqual(await walk(registry, 3), [
      ['1', '10', '2'],
      ['3', '4'],
    ]);
  });

  test('are nothing for a repository that is not there, and an empty page for one without tags', async () => {
    await using registry = await start();
    await using rig = makeRig(registry.origin, {}, { repository: 'library/other' });
    assert.equal(await rig.repository.tags({ limit: 10, last: undefined }, 'anonymous'), undefined);
    registry.fault({ path: '/tags/list' }, json({ name: 'library/other', tags: null }));
    assert.deepEqual(await rig.repository.tags({ limit: 10, last: undefined }, 'anonymous'), {
      items: [],
      next: undefined,
    });
  });

  for (const [what, fault] of [
    ['a web page', faults.html200()],
    ['no list', json({ tags: 'none' })],
    ['no JSON', faults.status(200, {}, 'hello')],
  ] as const) {
    test(`that are ${what} are refused`, async () => {
      await using registry = await start();
      registry.fault({ path: '/tags/list' }, fault);
      await using rig = makeRig(registry.origin);
      const failure = await failureOf(rig.repository.tags({ limit: 10, last: undefined }, 'anonymous'));
      assert.equal(failure.code, 'UPSTREAM_INVALID');
    });
  }

  test('without end are read up to a number of bytes', async () => {
    await using registry = await start();
    const bytes = 4 * 1024 * 1024;
    const many = Array.from({ length: 200_000 }, (_, index) => `tag-${index}`);
    const body = JSON.stringify({ tags: many, padding: 'x'.repeat(bytes) });
    for (let page = 0; page < 6; page++) {
      const link = `</v2/library/redis/tags/list?cursor=${page}>; rel="next"`;
      registry.fault(
        { path: '/tags/list', times: 1 },
        faults.status(200, { 'content-type': 'application/json', link }, body),
      );
    }
    await using rig = makeRig(registry.origin);
    const found = await rig.repository.tags({ limit: 10, last: undefined }, 'anonymous');
    assert.equal(found?.items.length, 10);
    assert.equal(registry.count({ path: '/tags/list' }), Math.ceil(listBytesMax / body.length));
  });

  test('whose links lead to another host are not followed there', async () => {
    await using other = await CountingUpstream.start();
    await using registry = await start();
    registry.fault({ path: '/tags/list' }, json({ tags: ['1'] }, { link: `<${other.origin}/v2/x>; rel="next"` }));
    assert.deepEqual(await walk(registry, 5), [['1']]);
    assert.equal(other.count(), 0);
  });
});

describe('referrers', () => {
  const signature = makeArtifact({ subject: image, artifactType: 'application/signature', seed: 1 });
  const bill = makeArtifact({ subject: image, artifactType: 'application/sbom', seed: 2, annotations: { a: 'b' } });
  const subject = parseDigest(image.digest);

  test('are all pages together, filtered here', async () => {
    await using registry = await start(1);
    for (const artifact of [signature, bill]) registry.publish('library/redis', artifact);
    await using rig = makeRig(registry.origin);
    const all = await rig.repository.referrers(subject, undefined, 'anonymous');
    assert.deepEqual(all?.map(({ digest }) => digest).sort(), [signature.digest, bill.digest].sort());
    const some = await rig.repository.referrers(subject, 'application/sbom', 'anonymous');
    assert.deepEqual(some, [
      {
        digest: bill.digest,
        size: bill.size,
        mediaType: bill.mediaType,
        artifactType: 'application/sbom',
        annotations: { a: 'b' },
      },
    ]);
  });

  test('are nothing where the upstream does not know them, and an empty list where there are none', async () => {
    await using old = await CountingUpstream.start({ referrers: 'none' });
    await using rig = makeRig(old.origin);
    assert.equal(await rig.repository.referrers(subject, undefined, 'anonymous'), undefined);
    await using registry = await start();
    await using other = makeRig(registry.origin);
    assert.deepEqual(await other.repository.referrers(subject, undefined, 'anonymous'), []);
  });

  test('that are a web page are refused', async () => {
    await using registry = await start();
    registry.fault({ path: '/referrers/' }, faults.html200());
    await using rig = makeRig(registry.origin);
    assert.equal((await failureOf(rig.repository.referrers(subject, undefined, 'anonymous'))).code, 'UPSTREAM_INVALID');
  });
});

describe('a Link', () => {
  const base = new URL('https://reg.test/v2/a/tags/list?n=2');
  const cases = [
    ['</v2/a/tags/list?last=b>; rel="next"', 'https://reg.test/v2/a/tags/list?last=b'],
    ['<?last=b>;rel=next', 'https://reg.test/v2/a/tags/list?last=b'],
    ['<x>; rel="prev", <y>; title="a, b"; rel="first next"', 'https://reg.test/v2/a/tags/y'],
    ['<x>; rel="nextish"', undefined],
    ['<x>', undefined],
    ['', undefined],
  ] as const;
  for (const [field, expected] of cases) {
    test(`"${field}" leads to ${String(expected)}`, () => assert.equal(nextLink(field, base)?.href, expected));
  }

  test('is read in no more time than its length needs', () => {
    const gap = ' '.repeat(7_000);
    for (const field of [`<x>; rel=${gap}next${gap}"x`, '<'.repeat(16_000), `<x>;${';'.repeat(16_000)}`]) {
      const before = process.cpuUsage();
      assert.equal(nextLink(field, base)?.href, field.includes('next') ? 'https://reg.test/v2/a/tags/x' : undefined);
      const { user } = process.cpuUsage(before);
      assert.ok(user < 1_000_000, `${user} µs`);
    }
  });
});
