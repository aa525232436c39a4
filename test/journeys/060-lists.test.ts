/**
 * Lists: the tags of a repository, what refers to a manifest, and what the cache holds.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { get } from '../support/client.ts';
import type { Answer } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import type { UpstreamOptions } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { makeArtifact, makeImage } from '../support/images.ts';
import { pull } from '../support/pull.ts';
import { status } from '../support/upstream-faults.ts';

const image = makeImage();
const signature = makeArtifact({ subject: image, artifactType: 'application/vnd.example.signature' });
const sbom = makeArtifact({ subject: image, artifactType: 'application/vnd.example.sbom', annotations: { by: 'us' } });

const json = ({ body }: Answer) => JSON.parse(body.toString());
const tagsOf = (answer: Answer): string[] => json(answer).tags;

async function scene(tags: readonly string[], options: UpstreamOptions = {}) {
  await using opening = new AsyncDisposableStack();
  const hub = opening.use(await CountingUpstream.start(options));
  for (const tag of tags) hub.publish(`library/app:${tag}`, image);
  const entrepot = opening.use(await Entrepot.start({ upstreams: { 'docker.io': hub } }));
  const scope = opening.move();
  return { hub, entrepot, origin: entrepot.origin, [Symbol.asyncDispose]: () => scope.disposeAsync() };
}

/** Follows the links from page to page, as clients do, and returns each page's answer. */
async function pages(origin: string, path: string): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let next: string | undefined = path; next !== undefined;) {
    const answer: Answer = await get(origin + next);
    assert.equal(answer.status, 200, answer.body.toString());
    answers.push(answer);
    next = /^<(\/[^>]*)>; rel="next"$/.exec(String(answer.headers.link ?? ''))?.[1];
    assert.equal(next === undefined, answer.headers.link === undefined, 'a link is a path of ours');
    assert.ok(answers.length < 100, 'the links lead in a circle');
  }
  return answers;
}

describe('the tags of a repository', () => {
  const tags = Array.from({ length: 11 }, (_, number) => `v${String(number).padStart(2, '0')}`);

  test('are the upstream’s, under the name that was asked for', async () => {
    await using at = await scene(tags);
    for (const path of ['library/app', 'docker.io/library/app', 'docker.io/app']) {
      const answer = await get(`${at.origin}/v2/${path}/tags/list`);
      assert.deepEqual(json(answer), { name: path, tags });
      assert.equal(answer.headers['x-cache'], 'miss');
      assert.equal(answer.headers.link, undefined);
    }
  });

  const doors = [
    '/v2/library/app/tags/list?n=4',
    '/v2/library/app/tags/list?n=4&ns=docker.io',
    '/v2/docker.io/library/app/tags/list?n=4',
    '/docker.io/v2/library/app/tags/list?n=4',
  ];
  for (const path of doors) {
    test(`come in pages whose links lead through the same door: ${path}`, async () => {
      await using at = await scene(tags);
      const answers = await pages(at.origin, path);
      assert.deepEqual(answers.map(tagsOf), [tags.slice(0, 4), tags.slice(4, 8), tags.slice(8)]);
      for (const { headers } of answers.slice(0, -1)) {
        assert.ok(String(headers.link).startsWith(`<${path.split('?')[0]}?`));
        assert.equal(String(headers.link).includes('ns=docker.io'), path.includes('ns='));
      }
    });
  }

  test('come whole from an upstream whose pages are smaller than ours', async () => {
    await using at = await scene(tags, { pageSize: 3 });
    const answers = await pages(at.origin, '/v2/library/app/tags/list');
    assert.deepEqual(answers.flatMap(tagsOf), tags);
  });

  test('are those held when the upstream is away, in pages, too', async () => {
    await using at = await scene(tags);
    for (const tag of tags.slice(0, 5)) await get(`${at.origin}/v2/library/app/manifests/${tag}`);
    await at.hub.down();
    const answers = await pages(at.origin, '/v2/library/app/tags/list?n=2');
    assert.deepEqual(answers.map(tagsOf), [tags.slice(0, 2), tags.slice(2, 4), tags.slice(4, 5)]);
    for (const { headers } of answers) assert.equal(headers['x-cache'], 'stale');
  });

  test('are refused with the reason when none is held, and 404 when there is no such repository', async () => {
    await using at = await scene(tags);
    const missing = await get(`${at.origin}/v2/library/nothing/tags/list`);
    assert.equal(missing.status, 404);
    assert.equal(json(missing).errors[0].code, 'NAME_UNKNOWN');
    at.hub.fault({ path: '/tags/' }, status(403));
    assert.equal((await get(`${at.origin}/v2/library/app/tags/list`)).status, 403);
    await at.hub.down();
    assert.equal((await get(`${at.origin}/v2/library/app/tags/list`)).status, 503);
  });
});

describe('what refers to a manifest', () => {
  const path = `/v2/library/app/referrers/${image.digest}`;

  test('is the upstream’s list, by artifact type where one is named', async () => {
    await using at = await scene(['v1']);
    for (const artifact of [signature, sbom]) at.hub.publish('library/app', artifact);
    const all = await get(at.origin + path);
    assert.equal(all.headers['content-type'], 'application/vnd.oci.image.index.v1+json');
    assert.deepEqual(
      json(all).manifests.map(({ digest }: { digest: string }) => digest),
      [signature.digest, sbom.digest],
    );
    const some = await get(`${at.origin}${path}?artifactType=${sbom.artifactType}`);
    assert.equal(some.headers['oci-filters-applied'], 'artifactType');
    assert.deepEqual(json(some).manifests, [
      {
        mediaType: sbom.mediaType,
        digest: sbom.digest,
        size: sbom.size,
        artifactType: sbom.artifactType,
        annotations: { by: 'us' },
      },
    ]);
  });

  test('comes whole from an upstream that pages', async () => {
    await using at = await scene(['v1'], { pageSize: 2 });
    const artifacts = Array.from({ length: 5 }, (_, seed) => makeArtifact({ subject: image, seed }));
    for (const artifact of artifacts) at.hub.publish('library/app', artifact);
    assert.equal(json(await get(at.origin + path)).manifests.length, 5);
  });

  test('is what is held when the upstream is away', async () => {
    await using at = await scene(['v1']);
    for (const artifact of [signature, sbom]) at.hub.publish('library/app', artifact);
    await pull(at.origin, 'library/app', signature.digest);
    await at.hub.down();
    const answer = await get(at.origin + path);
    assert.equal(answer.headers['x-cache'], 'stale');
    assert.deepEqual(
      json(answer).manifests.map(({ digest }: { digest: string }) => digest),
      [signature.digest],
    );
  });

  test('is found under the tag sha256-… where the upstream has no such list, and held there', async () => {
    await using at = await scene(['v1'], { referrers: 'tag' });
    at.hub.publish('library/app', signature);
    assert.equal((await get(at.origin + path)).status, 404, 'which sends clients to the tag');
    const tag = image.digest.replace(':', '-');
    const byTag = await get(`${at.origin}/v2/library/app/manifests/${tag}`);
    assert.deepEqual(
      json(byTag).manifests.map(({ digest }: { digest: string }) => digest),
      [signature.digest],
    );
    await pull(at.origin, 'library/app', signature.digest);
    await at.entrepot.stored(2);
    await at.hub.down();
    assert.deepEqual((await get(`${at.origin}/v2/library/app/manifests/${tag}`)).body, byTag.body);
    await pull(at.origin, 'library/app', signature.digest);
  });
});

describe('the catalog', () => {
  test('lists what is held, under names that one can pull, without asking anybody', async () => {
    await using at = await scene(['v1']);
    const namesOf = async (): Promise<string[]> =>
      (await pages(at.origin, '/v2/_catalog?n=2')).flatMap((answer) => json(answer).repositories);
    assert.deepEqual(await namesOf(), []);
    const names = ['library/app', 'team/a', 'team/b', 'team/c', 'team/d'];
    for (const name of names) {
      at.hub.publish(`${name}:v1`, image);
      await pull(at.origin, name, 'v1');
    }
    at.hub.forbid();
    assert.deepEqual(
      await namesOf(),
      names.map((name) => `docker.io/${name}`),
    );
    for (const name of await namesOf()) await pull(at.origin, name, 'v1');
    at.hub.assertUntouched();
  });

  test('does not tell anybody of what only our credentials can see', async () => {
    const users = { us: 'secret' };
    await using hub = await CountingUpstream.start({ auth: { kind: 'bearer', users, private: ['team/plans'] } });
    hub.publish('team/plans:v1', image);
    hub.publish('team/app:v1', image);
    await using entrepot = await Entrepot.start({
      upstreams: { 'docker.io': hub },
      config: { upstreams: { 'docker.io': { credentials: { username: 'us', password: 'secret' } } } },
    });
    for (const name of ['team/plans', 'team/app']) {
      const done = await entrepot.admin('POST /v1/pull', { image: `docker.io/${name}:v1` });
      assert.match(done.body.toString(), /"type":"done"/);
    }
    await get(`${entrepot.origin}/v2/team/app/manifests/v1`);
    const listed = async (): Promise<unknown> => json(await get(`${entrepot.origin}/v2/_catalog`)).repositories;
    assert.deepEqual(await listed(), ['docker.io/team/app']);
    const credentials = { username: 'us', password: 'secret' };
    await entrepot.configure({ upstreams: { 'docker.io': { credentials, exposure: 'anyone', deny: ['team/app'] } } });
    assert.deepEqual(await listed(), ['docker.io/team/plans'], 'what one may pull, and nothing else');
  });
});
