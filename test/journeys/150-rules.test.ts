/**
 * Rules say who may do what. They stand before everything: what is held, what upstreams have, what is listed, mounted,
 * pushed and deleted.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { get } from '../support/client.ts';
import type { Answer } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { makeImage } from '../support/images.ts';
import { push, pushBlob } from '../support/push.ts';
import { pull } from '../support/pull.ts';

const redis = makeImage({ seed: 'redis' });
const app = makeImage({ seed: 'app' });

type Rule = Readonly<Record<'who' | 'may' | 'on', unknown>>;

async function scene(access?: readonly Rule[]) {
  await using opening = new AsyncDisposableStack();
  const hub = opening.use(await CountingUpstream.start());
  hub.publish('library/redis:7', redis);
  hub.publish('team/app:1', app);
  const config = access === undefined ? {} : { access };
  const entrepot = opening.use(await Entrepot.start({ upstreams: { 'docker.io': hub }, config }));
  const scope = opening.move();
  const { origin } = entrepot;
  const repositories = async (): Promise<readonly string[]> => {
    const { body } = await get(`${origin}/v2/_catalog`);
    return (JSON.parse(body.toString()) as { readonly repositories: readonly string[] }).repositories;
  };
  return { hub, entrepot, origin, repositories, [Symbol.asyncDispose]: () => scope.disposeAsync() };
}

function assertForbidden(answer: Answer, what: string): void {
  assert.equal(answer.status, 403, what);
  assert.equal(answer.headers['www-authenticate'], undefined, what);
}

describe('rules that let anybody pull one thing', () => {
  const rules = [{ who: 'anonymous', may: 'pull', on: 'docker.io/library/*' }];

  test('let it be pulled through every door, and nothing else', async () => {
    await using at = await scene(rules);
    await pull(at.origin, 'library/redis', '7', { ns: 'docker.io' });
    await pull(at.origin, 'library/redis', '7');
    await pull(at.origin, 'docker.io/library/redis', '7');
    await pull(at.origin, 'redis', '7');
    at.hub.forbid();
    const name = 'team/app';
    for (const path of [
      `/v2/${name}/manifests/1`,
      `/v2/${name}/manifests/1?ns=docker.io`,
      `/v2/docker.io/${name}/manifests/${app.digest}`,
      `/docker.io/v2/${name}/blobs/${app.config.digest}`,
      `/v2/${name}/tags/list`,
      `/v2/${name}/referrers/${app.digest}`,
    ]) {
      for (const method of ['GET', 'HEAD']) assertForbidden(await get(`${at.origin}${path}`, { method }), path);
    }
    at.hub.assertUntouched();
  });

  test('refuse every kind of write, and say what is missing', async () => {
    await using at = await scene(rules);
    const id = '01234567-89ab-4def-8123-456789abcdef';
    for (const [method, path] of [
      ['POST', '/v2/local/app/blobs/uploads/'],
      ['POST', `/v2/local/app/blobs/uploads/?mount=${redis.config.digest}&from=library/redis`],
      ['PATCH', `/v2/local/app/blobs/uploads/${id}`],
      ['PUT', `/v2/local/app/blobs/uploads/${id}?digest=${redis.config.digest}`],
      ['GET', `/v2/local/app/blobs/uploads/${id}`],
      ['DELETE', `/v2/local/app/blobs/uploads/${id}`],
      ['PUT', '/v2/local/app/manifests/1'],
      ['DELETE', '/v2/local/app/manifests/1'],
      ['DELETE', `/v2/local/app/blobs/${redis.config.digest}`],
    ] as const) {
      const answer = await get(`${at.origin}${path}`, { method });
      assertForbidden(answer, `${method} ${path}`);
      if (method !== 'GET')
        assert.match(answer.body.toString(), /may not .* no rule under .*access.* ask the operator/);
    }
  });
});

test('a mount takes nothing from a repository that the asker may not pull from', async () => {
  await using at = await scene();
  await push(at.origin, 'local/secret', '1', app);
  await at.entrepot.configure({
    access: [{ who: 'anonymous', may: ['pull', 'push'], on: ['local/open', 'local/mine'] }],
  });
  const url = `${at.origin}/v2/local/open/blobs/uploads/?mount=${app.config.digest}`;
  assert.equal((await get(`${url}&from=local/secret`, { method: 'POST' })).status, 202);
  assert.equal((await get(url, { method: 'POST' })).status, 202);
  await pushBlob(`${at.origin}/v2/local/mine`, app.config);
  assert.equal((await get(`${url}&from=local/mine`, { method: 'POST' })).status, 201);
});

test('the catalog lists what the asker may pull, and rules take effect without a restart', async () => {
  await using at = await scene();
  await pull(at.origin, 'library/redis', '7');
  await push(at.origin, 'local/app', '1', app);
  assert.deepEqual(await at.repositories(), ['docker.io/library/redis', 'local/app']);
  await at.entrepot.configure({ access: [{ who: 'anonymous', may: 'pull', on: 'local/**' }] });
  assert.deepEqual(await at.repositories(), ['local/app']);
  assertForbidden(await get(`${at.origin}/v2/library/redis/manifests/7`), 'held, but not allowed any more');
  await at.entrepot.configure({ access: [{ who: 'nobody:', may: 'pull', on: '**' }] });
  assert.equal(at.entrepot.told('config.invalid').length, 1);
  assert.deepEqual(await at.repositories(), ['local/app']);
});
