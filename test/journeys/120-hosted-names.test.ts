/**
 * Some names are ours. What is asked of them never reaches an upstream, whoever has something of that name.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { systemClock } from '../../src/observe/clock.ts';
import type { Clock } from '../../src/observe/clock.ts';
import { get } from '../support/client.ts';
import type { Answer } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { makeImage } from '../support/images.ts';
import { pull, pullAsDockerd } from '../support/pull.ts';
import { push } from '../support/push.ts';

const image = makeImage();

/** Docker Hub has everything that it might be asked for in vain. */
async function scene(config: Readonly<Record<string, unknown>> = {}, clock: Clock = systemClock) {
  await using opening = new AsyncDisposableStack();
  const hub = opening.use(await CountingUpstream.start());
  for (const name of ['library/nginx', 'local/app', 'team/app', 'corp/deep/app']) hub.publish(`${name}:1`, image);
  const entrepot = opening.use(await Entrepot.start({ upstreams: { 'docker.io': hub }, config, clock }));
  const scope = opening.move();
  return { hub, origin: entrepot.origin, [Symbol.asyncDispose]: () => scope.disposeAsync() };
}

const errorOf = ({ body }: Answer): { readonly code: string; readonly message: string } =>
  JSON.parse(body.toString()).errors[0];

/** Everything that can be asked of a repository. */
const questions = [
  'GET manifests/1',
  'HEAD manifests/1',
  `GET manifests/${image.digest}`,
  `GET blobs/${image.config.digest}`,
  `HEAD blobs/${image.config.digest}`,
  'GET tags/list',
];

describe('a hosted name', () => {
  test('never reaches an upstream, by any door (zot#3724)', async () => {
    await using at = await scene();
    at.hub.forbid();
    for (const question of questions) {
      const [method = 'GET', path] = question.split(' ');
      const answer = await get(`${at.origin}/v2/local/app/${path}`, { method });
      assert.equal(answer.status, 404, question);
      if (method === 'GET') assert.match(errorOf(answer).message, /local\/app.*hosted here/, question);
      // Our own name in `ns` means hosted here as well, whatever the name is.
      const own = await get(`${at.origin}/v2/team/app/${path}?ns=${new URL(at.origin).host}`, { method });
      assert.equal(own.status, 404, question);
    }
    // The API is there, whatever it has to tell (distribution specification, "Listing Referrers").
    const referrers = await get(`${at.origin}/v2/local/app/referrers/${image.digest}`);
    assert.equal(referrers.status, 200);
    assert.match(referrers.body.toString(), /"manifests":\[\]/);
    at.hub.assertUntouched();
  });

  test('is whatever the operator declares', async () => {
    await using at = await scene({ hosted: { names: ['corp/**'] } });
    at.hub.forbid();
    for (const path of ['corp/app', 'corp/deep/app']) {
      assert.equal((await get(`${at.origin}/v2/${path}/manifests/1`)).status, 404);
    }
    at.hub.assertUntouched();
    at.hub.reset();
    await pull(at.origin, 'local/app', '1');
    await pull(at.origin, 'team/app', '1');
    assert.equal(at.hub.count({ method: 'HEAD', status: 200 }), 2);
  });

  test('and what was pushed to it are never asked about elsewhere, however old that is (nora#868)', async () => {
    const clock = new FakeClock();
    await using at = await scene({ hosted: { names: ['library/nginx'] } }, clock);
    at.hub.forbid();
    const ours = makeImage({ seed: 'ours' });
    await push(at.origin, 'library/nginx', '1', ours);
    await clock.advance(24 * 60 * 60 * 1000);
    assert.equal((await pull(at.origin, 'library/nginx', '1')).digest, ours.digest);
    assert.equal((await pullAsDockerd(at.origin, 'library/nginx', '1')).digest, ours.digest);
    at.hub.assertUntouched();
  });

  test('can still be had from the registry that has it, by naming that', async () => {
    await using at = await scene();
    await pull(at.origin, 'local/app', '1', { ns: 'docker.io' });
    await pull(at.origin, 'docker.io/local/app', '1');
  });
});

describe('a name of one part', () => {
  test('that nobody has pushed is Docker Hub’s, as docker pull HOST/nginx means it', async () => {
    await using at = await scene();
    assert.equal((await pull(at.origin, 'nginx', '1')).digest, image.digest);
    assert.equal((await pullAsDockerd(at.origin, 'nginx', '1')).digest, image.digest);
    assert.equal(at.hub.count({ path: '/v2/library/nginx/manifests/1', method: 'HEAD' }), 1);
  });

  test('is ours for all else: who asks whether a push may leave a blob out hears no', async () => {
    await using at = await scene();
    at.hub.forbid();
    const url = `${at.origin}/v2/nginx`;
    assert.equal((await get(`${url}/blobs/${image.config.digest}`, { method: 'HEAD' })).status, 404);
    assert.equal((await get(`${url}/tags/list`)).status, 404);
    at.hub.assertUntouched();
  });
});

describe('a push to a cached name', () => {
  const pushes = [
    ['POST', 'blobs/uploads/'],
    ['POST', `blobs/uploads/?mount=${image.config.digest}&from=library/nginx`],
    ['PATCH', 'blobs/uploads/7d5c'],
    ['PUT', `blobs/uploads/7d5c?digest=${image.config.digest}`],
    ['PUT', 'manifests/1'],
    ['DELETE', `manifests/${image.digest}`],
    ['DELETE', `blobs/${image.config.digest}`],
  ] as const;

  test('is refused with a sentence that says where to push, and reaches nobody', async () => {
    await using at = await scene();
    at.hub.forbid();
    for (const name of ['team/app', 'docker.io/team/app']) {
      for (const [method, path] of pushes) {
        const answer = await get(`${at.origin}/v2/${name}/${path}`, { method, body: 'body' });
        assert.equal(answer.status, 405, `${method} ${path}`);
        assert.equal(answer.headers.allow, 'GET, HEAD');
        assert.equal(errorOf(answer).code, 'UNSUPPORTED');
        assert.match(errorOf(answer).message, /copy of docker\.io, .*: push to local\/team\/app/);
      }
    }
    at.hub.assertUntouched();
  });
});
