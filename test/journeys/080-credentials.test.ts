/**
 * The cache has credentials, and clients have theirs. Who sees what, and where a secret never shows.
 */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { get, head, together } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { makeArtifact, makeImage } from '../support/images.ts';
import { ServerProcess } from '../support/processes.ts';
import { pull, pullAsDockerd } from '../support/pull.ts';
import { TempDir } from '../support/temp-dir.ts';

const minutes = 60_000;
const password = 'correct-horse-battery';
const credentials = { username: 'cache', password };

const app = makeImage({ seed: 'app' });
const plans = makeImage({ seed: 'plans' });

/** A registry where anybody reads `team/app`, and only the cache's own account reads `team/plans`. */
async function scene(keys: Readonly<Record<string, unknown>> = {}) {
  await using opening = new AsyncDisposableStack();
  const clock = new FakeClock();
  const auth = { kind: 'bearer', realm: 'other', users: { cache: password }, private: ['team/plans'] } as const;
  const now = (): number => clock.now();
  const quay = opening.use(await CountingUpstream.start({ auth, now, blobRedirects: {} }));
  quay.publish('team/app:1', app);
  quay.publish('team/plans:1', plans);
  quay.publish('team/plans', makeArtifact({ subject: plans }));
  const config = { upstreams: { 'quay.io': { credentials, ...keys } } };
  const entrepot = opening.use(await Entrepot.start({ upstreams: { 'quay.io': quay }, clock, config }));
  const scope = opening.move();
  return {
    clock,
    quay,
    entrepot,
    origin: entrepot.origin,
    /** As the operator, who may see everything. */
    async warm(image: string): Promise<void> {
      const { body } = await entrepot.admin('POST /v1/pull', { image: `quay.io/${image}` });
      assert.match(body.toString(), /"type":"done"/);
    },
    [Symbol.asyncDispose]: () => scope.disposeAsync(),
  };
}

/** Every way to ask for something of `team/plans`. */
const privatePaths = [
  '/v2/team/plans/manifests/1?ns=quay.io',
  '/v2/quay.io/team/plans/manifests/1',
  '/quay.io/v2/team/plans/manifests/1',
  `/v2/team/plans/manifests/${plans.digest}?ns=quay.io`,
  `/v2/team/plans/blobs/${plans.config.digest}?ns=quay.io`,
  `/v2/quay.io/team/plans/blobs/${plans.config.digest}`,
  '/v2/team/plans/tags/list?ns=quay.io',
  `/v2/team/plans/referrers/${plans.digest}?ns=quay.io`,
];

describe('what only the cache’s own credentials can read', () => {
  test('nobody else sees by any door, before or after it is held (spegel#1432)', async () => {
    await using at = await scene();
    for (const isHeld of [false, true]) {
      if (isHeld) await at.warm('team/plans:1');
      for (const path of privatePaths) {
        const answer = await get(at.origin + path);
        assert.equal(answer.status, 403, path);
        assert.equal(answer.headers['www-authenticate'], undefined);
        assert.match(answer.body.toString(), /not public.*exposure.*\\"anyone\\"/);
        assert.equal((await head(at.origin + path)).status, 403, path);
      }
      const elsewhere = `${at.origin}/v2/team/app/blobs/${plans.config.digest}?ns=quay.io`;
      assert.equal((await get(elsewhere)).status, 404, 'nor through a repository that is public');
      assert.equal((await head(elsewhere)).status, 404);
      await at.clock.advance(2 * minutes);
    }
  });

  test('stays hidden while the upstream is away', async () => {
    await using at = await scene();
    await at.warm('team/plans:1');
    await at.quay.down();
    await at.clock.advance(2 * minutes);
    for (const path of privatePaths) {
      const { status } = await get(at.origin + path);
      assert.ok(status === 403 || status === 503, `${status} for ${path}`);
    }
  });

  test('everybody sees where the operator says so (exposure: anyone)', async () => {
    await using at = await scene({ exposure: 'anyone' });
    await pull(at.origin, 'team/plans', '1', { ns: 'quay.io' });
    await at.entrepot.stored(3);
    await at.quay.down();
    await pull(at.origin, 'team/plans', '1', { ns: 'quay.io' });
  });
});

describe('what anybody can read upstream', () => {
  test('anybody can read here, though we have credentials there', async () => {
    await using at = await scene();
    await pull(at.origin, 'team/app', '1', { ns: 'quay.io' });
    await at.entrepot.stored(3);
    at.quay.forbid();
    await pull(at.origin, 'team/app', '1', { ns: 'quay.io' });
    at.quay.assertUntouched();
    await at.quay.down();
    await at.clock.advance(3 * 60 * minutes);
    await pull(at.origin, 'team/app', '1', { ns: 'quay.io' });
  });

  test('is found out once for all who ask at the same time', async () => {
    await using at = await scene();
    const answers = await together(20, () => get(`${at.origin}/v2/quay.io/team/app/manifests/1`));
    for (const { status } of answers) assert.equal(status, 200);
    assert.equal(at.quay.count({ method: 'HEAD', path: '/manifests/', authorization: 'bearer' }), 1, at.quay.summary());
  });

  test('is looked at again: what was closed is closed within the hour, what was opened is open within a minute', async () => {
    await using at = await scene();
    const statusOf = async (path: string): Promise<number> => (await get(at.origin + path)).status;
    const [aboutApp, aboutPlans] = ['/v2/quay.io/team/app/manifests/1', '/v2/quay.io/team/plans/manifests/1'];
    assert.deepEqual([await statusOf(aboutApp), await statusOf(aboutPlans)], [200, 403]);

    at.quay.gatekeeper.setPrivate(['team/app']);
    at.quay.gatekeeper.revokeTokens();
    await at.clock.advance(1 * minutes);
    assert.equal(await statusOf(aboutPlans), 200);
    await at.clock.advance(60 * minutes);
    assert.equal(await statusOf(aboutApp), 403);
  });
});

describe('our credentials', () => {
  test('go to the registry and its token service, and are not sent where blobs come from', async () => {
    await using at = await scene();
    await at.warm('team/plans:1');
    assert.ok(at.quay.count({ host: 'token', authorization: 'basic' }) > 0);
    assert.ok(at.quay.count({ host: 'cdn' }) > 0);
    assert.equal(at.quay.count({ host: 'cdn', authorization: 'none' }), at.quay.count({ host: 'cdn' }));
    assert.equal(at.quay.count({ host: 'registry', authorization: 'basic' }), 0);
  });

  test('that are refused are the operator’s matter: the client hears 403, and no challenge', async () => {
    await using at = await scene({ exposure: 'anyone' });
    at.quay.gatekeeper.setPassword('cache', 'another');
    const answer = await get(`${at.origin}/v2/quay.io/team/plans/manifests/1`);
    assert.equal(answer.status, 403);
    assert.equal(answer.headers['www-authenticate'], undefined);
    assert.match(answer.body.toString(), /refused our credentials.*upstreams\.quay\.io\.credentials/);
  });
});

describe('a client’s own credentials, which dockerd sends to its mirrors (moby#42022)', () => {
  test('change nothing, and arrive nowhere', async () => {
    await using at = await scene();
    const theirs = Buffer.from('alice:her-hub-password').toString('base64');
    for (const authorization of [`Basic ${theirs}`, 'Bearer her-hub-token']) {
      await pullAsDockerd(`${at.origin}/quay.io`, 'team/app', '1', { headers: { authorization } });
      const hidden = await get(at.origin + privatePaths[0], { headers: { authorization } });
      assert.equal(hidden.status, 403);
      assert.doesNotMatch(hidden.body.toString(), /her-hub/);
    }
    for (const secret of ['her-hub-password', 'her-hub-token', theirs]) {
      assert.equal(at.quay.ledger.saw(secret), false);
      assert.doesNotMatch(JSON.stringify(at.entrepot.events), new RegExp(secret));
    }
  });
});

describe('a secret', () => {
  test('shows in no log, no file, no answer, whatever happens', async () => {
    await using directory = await TempDir.make();
    const users = { cache: password };
    await using quay = await CountingUpstream.start({ auth: { kind: 'bearer', users, private: ['team/plans'] } });
    quay.publish('team/app:1', app);
    quay.publish('team/plans:1', plans);
    await using server = await ServerProcess.start({
      directory: directory.path,
      config: {
        log: { level: 'debug', formatter: 'json' },
        http: { debug: { addr: '127.0.0.1:0' } },
        upstreams: { 'quay.io': { url: quay.origin, insecure: true, credentials } },
      },
    });
    const authorization = `Basic ${Buffer.from('alice:her-hub-password').toString('base64')}`;
    const answers: string[] = [];
    const ask = async (path: string): Promise<void> => {
      const { headers, body } = await get(server.origin + path, { headers: { authorization } });
      answers.push(JSON.stringify(headers), body.toString());
    };
    await pullAsDockerd(`${server.origin}/quay.io`, 'team/app', '1', { headers: { authorization } });
    for (const path of privatePaths) await ask(path);
    quay.gatekeeper.setPassword('cache', 'another');
    quay.gatekeeper.revokeTokens();
    await ask('/v2/team/app/manifests/2?ns=quay.io');
    await quay.down();
    await ask('/v2/team/app/manifests/3?ns=quay.io');
    await server.stop();

    const files = await readdir(join(directory.path, 'registry'), { recursive: true, withFileTypes: true });
    const stored = files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
    const contents = await Promise.all(stored.map((file) => readFile(file, 'latin1')));
    assert.match(server.logs, /team\/plans/);
    for (const secret of [password, 'her-hub-password', authorization.slice(6), 'token-']) {
      for (const place of [server.logs, ...answers, ...contents]) assert.ok(!place.includes(secret), secret);
    }
    assert.ok(quay.ledger.saw(password), 'it was used');
  });
});
