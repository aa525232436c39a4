/** A repository that anybody could read is closed at its registry: what comes in after that is for nobody else, by no way. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { get } from '../support/client.ts';
import type { Answer, RequestOptions } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { makeImage } from '../support/images.ts';
import { basic, htpasswdOf } from '../support/logins.ts';
import { pull } from '../support/pull.ts';
import { TempDir } from '../support/temp-dir.ts';
import { status } from '../support/upstream-faults.ts';

const minute = 60_000;
const hour = 60 * minute;
const open = makeImage({ seed: 'open' });
const secret = makeImage({ seed: 'secret' });
const other = makeImage({ seed: 'other' });
const ann = basic('ann', 'pa');
const credentials = { username: 'cache', password: 'pw' };
const [layer = secret.config] = secret.layers;

/** Anybody has read `team/app` and `team/other`; ann is a user here, and this cache has an account there. */
async function scene() {
  await using opening = new AsyncDisposableStack();
  const clock = new FakeClock();
  const directory = opening.use(await TempDir.make());
  const users = join(directory.path, 'users');
  await writeFile(users, htpasswdOf({ ann: 'pa' }));
  const auth = { kind: 'bearer', realm: 'own', users: { cache: 'pw' }, private: [] } as const;
  const quay = opening.use(await CountingUpstream.start({ auth, now: () => clock.now() }));
  quay.publish('team/app:1', open);
  quay.publish('team/other:1', other);
  const config = {
    auth: { htpasswd: { path: users } },
    access: [
      { who: 'anonymous', may: 'pull', on: ['quay.io/**', 'local/open/**'] },
      { who: 'ann', may: ['pull', 'push'], on: '**' },
      { who: 'anonymous', may: 'push', on: 'local/open/**' },
    ],
    upstreams: { 'quay.io': { credentials } },
  };
  const upstreams = { 'quay.io': quay };
  const entrepot = opening.use(await Entrepot.start({ clock, directory: directory.path, upstreams, config }));
  const ask = (path: string, options: RequestOptions = {}): Promise<Answer> => get(entrepot.origin + path, options);
  for (const name of ['team/app', 'team/other'])
    assert.equal((await ask(`/v2/quay.io/${name}/manifests/1`)).status, 200);
  const scope = opening.move();
  return {
    clock,
    quay,
    entrepot,
    ask,
    close: (): void => {
      quay.gatekeeper.setPrivate(['team/app']);
      quay.gatekeeper.revokeTokens();
      quay.publish('team/app:2', secret);
    },
    [Symbol.asyncDispose]: () => scope.disposeAsync(),
  };
}

type Scene = Awaited<ReturnType<typeof scene>>;

async function assertHidden({ ask }: Scene): Promise<void> {
  for (const path of [
    `/v2/quay.io/team/other/blobs/${layer.digest}`,
    `/v2/quay.io/team/other/blobs/${secret.config.digest}`,
    `/v2/quay.io/team/app/blobs/${layer.digest}`,
    '/v2/quay.io/team/app/manifests/2',
    `/v2/quay.io/team/app/manifests/${secret.digest}`,
    `/v2/quay.io/team/app/blobs/${layer.digest}`,
  ]) {
    for (const method of ['HEAD', 'GET']) {
      const told = await ask(path, { method });
      const said = `${method} ${path}: ${told.status} ${told.body.toString('latin1', 0, 200)}`;
      assert.ok(told.status >= 400 && told.status < 500, said);
    }
  }
  for (const from of ['&from=quay.io/team/app', '']) {
    const uploads = `/v2/local/open/x/blobs/uploads/?mount=${secret.config.digest}${from}`;
    assert.equal((await ask(uploads, { method: 'POST' })).status, 202, from);
    assert.equal((await ask(`/v2/local/open/x/blobs/${secret.config.digest}`)).status, 404);
  }
}

describe('what came in after its repository had been closed', () => {
  const waysIn: Readonly<Record<string, (at: Scene) => Promise<unknown>>> = {
    'by a user': ({ entrepot }) => pull(entrepot.origin, 'quay.io/team/app', '2', { headers: ann }),
    'by a user, without its manifest': ({ ask }) => ask(`/v2/quay.io/team/app/blobs/${layer.digest}`, { headers: ann }),
    'by the operator': async ({ entrepot }) => {
      const { body } = await entrepot.admin('POST /v1/pull', { image: 'quay.io/team/app:2' });
      assert.match(body.toString(), /"type":"done"/);
    },
    'by nobody yet': async () => {},
  };
  for (const [how, comeIn] of Object.entries(waysIn)) {
    for (const passedMs of [10 * minute, 3 * hour]) {
      test(`${how}, ${passedMs / minute} minutes later, is shown to nobody else`, async () => {
        await using at = await scene();
        at.close();
        await at.clock.advance(passedMs);
        await comeIn(at);
        await assertHidden(at);
        const { body } = await at.ask('/v2/_catalog');
        assert.deepEqual(JSON.parse(body.toString()), { repositories: ['quay.io/team/other'] });
        assert.equal((await at.ask('/v2/quay.io/team/app/manifests/2', { headers: ann })).status, 200);
      });
    }
  }

  test('is not held while nobody can say whether it is public, and shown to who may have it all the same', async () => {
    await using at = await scene();
    at.close();
    await at.clock.advance(3 * hour);
    at.quay.fault({ method: 'HEAD', path: '/team/app/' }, status(503));
    assert.equal((await at.ask('/v2/quay.io/team/app/manifests/2', { headers: ann })).status, 200);
    await at.quay.down();
    assert.notEqual((await at.ask('/v2/quay.io/team/app/manifests/2')).status, 200);
    assert.notEqual((await at.ask(`/v2/quay.io/team/app/manifests/${secret.digest}`)).status, 200);
  });
});

describe('what anybody could read when it came in', () => {
  test('is shown while its registry is away, however long, also by way of another repository that has it', async () => {
    await using at = await scene();
    await pull(at.entrepot.origin, 'quay.io/team/app', '1');
    await at.entrepot.stored(3);
    await at.quay.down();
    await at.clock.advance(30 * hour);
    await pull(at.entrepot.origin, 'quay.io/team/app', '1');
    const shared = await at.ask(`/v2/quay.io/team/other/blobs/${open.config.digest}`);
    assert.equal(shared.status, 200);
  });

  test('is not shown by way of another repository once its own has been closed for an hour', async () => {
    await using at = await scene();
    await pull(at.entrepot.origin, 'quay.io/team/app', '1');
    await at.entrepot.stored(3);
    at.close();
    const shared = `/v2/quay.io/team/other/blobs/${open.config.digest}`;
    await at.clock.advance(2 * hour);
    assert.equal((await at.ask(shared)).status, 404);
  });

  test('costs the registry one question a minute while more of it comes in, and none once it is held', async () => {
    await using at = await scene();
    await at.clock.advance(10 * minute);
    at.quay.reset();
    await pull(at.entrepot.origin, 'quay.io/team/app', '1');
    await at.entrepot.stored(3);
    assert.equal(at.quay.count({ method: 'HEAD', path: '/team/app/blobs/' }), 1, at.quay.summary());
    at.quay.forbid();
    await at.clock.advance(2 * minute);
    for (const { digest } of open.blobs)
      assert.equal((await at.ask(`/v2/quay.io/team/app/blobs/${digest}`)).status, 200);
    at.quay.assertUntouched();
  });
});
