/**
 * Who is served what: every way to ask, by every door, by everybody, in every state of things, against the rules
 * (`rules.ts`). `npm run leaks` asks more of it; the rest of the time it is what fits between other tests.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { grants, shelves } from './content.ts';
import type { Shelf } from './content.ts';
import { ask, pathAt } from './doors.ts';
import type { Told } from './doors.ts';
import { assertAsTheRulesSay, assertListsKeepQuiet, assertNobodyPushesHisWayIn, cellsOf } from './matrix.ts';
import type { Asker, World } from './rules.ts';
import { forgeries, leaked, leakScene, ops, proofSeconds, standInFor, tokenFor, tokenSeconds } from './scene.ts';
import type { Ours, Scene } from './scene.ts';

const seed = Number(process.env['LEAKS_SEED'] ?? Date.now() % 1_000_000);
/** Of all cells; there is time for more of them in `npm run leaks`. */
const share = Number(process.env['LEAKS_SHARE'] ?? 1 / 60);
const second = 1000;

const withoutAccount: Ours = { account: false, exposure: 'authenticated' };

type WorldOfOurs = Ours & { readonly name: string };

/** Of them `npm test` goes through one, by chance; `npm run leaks` through all, and asks all there is to ask in the first. */
const worlds: readonly [WorldOfOurs, ...WorldOfOurs[]] = [
  { name: 'without an account of ours', ...withoutAccount },
  { name: 'where registries that nobody named are served, too', ...withoutAccount, explores: true },
  { name: 'with an account of ours, for anyone', account: true, exposure: 'anyone' },
  { name: 'with an account of ours, for who logs in here', account: true, exposure: 'authenticated' },
  { name: 'with an account of ours, for nobody else', account: true, exposure: 'passthrough' },
];

describe('private content is served to whom its registry shows it, and to nobody else', { concurrency: false }, () => {
  for (const { name, ...ours } of share < 1 ? [worlds[seed % worlds.length] ?? worlds[0]] : worlds) {
    test(`${name}: arriving, held, restarted, revoked, ended, away`, async () => {
      await using at = await leakScene(ours);
      await live(at, ours, name === worlds[0].name ? share : Math.min(share, 1 / 6));
    });
  }
});

test('the same questions give all of it to everybody once its registry shows it to anybody', async () => {
  await using at = await leakScene(withoutAccount);
  const alice: Asker = { name: 'alice', authorization: await tokenFor(at, 'alice'), readsNow: grants.alice };
  const { plans } = shelves;
  const world = worldOf(withoutAccount);
  await assertAsTheRulesSay(at, cellsOf([alice, ...strangers(at)], [plans]), { name: 'private', world, seed, share });
  at.hub.gatekeeper.setPrivate([]);
  await at.clock.advance(61 * second);
  const { readers: _, ...opened } = plans;
  const cells = cellsOf([alice, ...strangers(at)], [opened]).filter(({ way }) => way.kind !== 'naming');
  const served = await assertAsTheRulesSay(at, cells, { name: 'opened', world, seed, share });
  assert.ok(served > (cells.length * share) / 5, `only ${served} of ${cells.length} were served`);
});

test('who is stood in for while one registry is away is nobody at another', async () => {
  await using at = await leakScene(withoutAccount);
  const { plans } = shelves;
  await prove(at, await tokenFor(at, 'carol'), grants.carol);
  at.hub.gatekeeper.setGrants('carol', []);
  at.hub.gatekeeper.revokeTokens('carol');
  const elsewhere = await standInFor(at, 'carol');
  for (const reference of [plans.tag, plans.index.digest]) {
    const { status } = await askInTunnel(at, elsewhere, `${plans.name}/manifests/${reference}`);
    assert.equal(status, 401, reference);
  }
});

/** Through all states of things, one after another. */
async function live(at: Scene, ours: Ours, portion: number): Promise<void> {
  const asked = ours.account ? Object.values(shelves) : [shelves.open, shelves.plans];
  const world = worldOf(ours);
  const check = async (name: string, askers: readonly Asker[], now: World = world): Promise<void> => {
    const served = await assertAsTheRulesSay(at, cellsOf(askers, asked), { name, world: now, seed, share: portion });
    assert.ok(served > 0, `${name}: nobody was served anything`);
    if (name !== 'arriving') await assertListsKeepQuiet(at, askers, now);
  };
  const anybody: Asker = { name: 'anybody with a token', authorization: await tokenFor(at), readsNow: [] };
  const bob: Asker = { name: 'bob', authorization: await tokenFor(at, 'bob'), readsNow: ['bob'] };
  const others = [...strangers(at), anybody, bob];
  const first = await tokenFor(at, 'alice');
  const alice: Asker = { name: 'alice', authorization: first, readsNow: grants.alice, proved: grants.alice };
  const carolsOld = await tokenFor(at, 'carol');
  const carol: Asker = { name: 'carol', authorization: carolsOld, readsNow: grants.carol, proved: grants.carol };

  const arrival = await beginDownload(at, first);
  await check('arriving', [alice, carol, ...others]);
  await arrival.finish();
  for (const shelf of asked) await hold(at, first, shelf);
  await check('held', [alice, carol, ...others]);
  await assertNobodyPushesHisWayIn(at, ops);
  await at.restart();
  await check('restarted', [alice, carol, ...others]);

  await prove(at, carolsOld, grants.carol);
  at.hub.gatekeeper.setGrants('carol', []);
  at.hub.gatekeeper.revokeTokens('carol');
  const carolsNew: Asker = { name: 'carol, again', authorization: await tokenFor(at, 'carol'), readsNow: [] };
  const standIn: Asker = {
    name: 'carol as whom another registry let in',
    authorization: await standInFor(at, 'carol'),
  };
  const lately: Asker = { name: 'carol, let in lately', authorization: carolsOld, proved: grants.carol };
  await check('revoked', [standIn, alice, lately, carolsNew, ...others]);
  await at.clock.advance((proofSeconds + 5) * second);
  const over: Asker = { name: 'carol, let in once', authorization: carolsOld };
  await check('revoked for longer than a proof counts', [alice, over, carolsNew, ...others]);

  await endToken(at, first);
  const ended: Asker = { name: 'alice with a token that has ended', authorization: first };
  const again: Asker = { ...alice, authorization: await tokenFor(at, 'alice') };
  const carolsLast: Asker = { ...carolsNew, authorization: await tokenFor(at, 'carol') };
  await prove(at, again.authorization ?? '', grants.alice);
  for (const { authorization = '' } of [over, carolsLast]) await beRefused(at, authorization, shelves.plans);
  await check('ended', [ended, again, carolsLast, ...strangers(at)]);
  await at.hub.down();
  await check('away', [ended, again, over, carolsLast, ...strangers(at)], { ...world, isAway: true });
  await at.restart();
  await check('away, restarted', [ended, again, over, carolsLast, ...strangers(at)], { ...world, isAway: true });
}

function worldOf({ account, exposure }: Ours): World {
  return { ours: account ? grants.robot : [], exposure, isAway: false };
}

function strangers({ clock }: Scene): readonly Asker[] {
  const forged = Object.entries(forgeries(clock.now())).map(([name, authorization]) => ({ name, authorization }));
  return [
    { name: 'nobody' },
    { name: 'a user of this cache', authorization: ops, isUserHere: true },
    // As dockerd shows it to whatever mirror of Docker Hub it has.
    { name: 'alice with her password', authorization: leaked, isOnlyForUs: true },
    ...forged,
  ];
}

/** The owner has the beginning of the layer, and the rest waits. */
async function beginDownload(at: Scene, authorization: string): Promise<{ finish(): Promise<void> }> {
  const { name, image } = shelves.plans;
  const layer = image.layers[0] ?? image.config;
  const gate = at.hub.gate({ path: layer.digest }, { at: 60_000 });
  const get = (path: string): Promise<Told> => askInTunnel(at, authorization, path);
  const begun = get(`${name}/blobs/${layer.digest}`);
  await gate.arrived();
  assert.equal((await begun).status, 200);
  return {
    finish: async () => {
      gate.release();
      await at.entrepot.until('download', ({ step, digest }) => step === 'stored' && digest === layer.digest);
    },
  };
}

/** All of it, whatever chance asks for: by whoever may have it. */
async function hold(at: Scene, authorization: string, shelf: Shelf): Promise<void> {
  const { name, tag, image, signature, readers } = shelf;
  if (readers?.includes('alice') === false) {
    const pulled = await at.entrepot.admin('POST /v1/pull', { image: `docker.io/${name}:${tag}` });
    assert.match(pulled.body.toString(), /"type":"done"/);
    // What refers to an image is told while its registry is away if it is held itself.
    await askAtMirror(at, `${name}/manifests/${signature.digest}`);
    return;
  }
  const blobs = image.blobs.map(({ digest }) => `blobs/${digest}`);
  const manifests = [tag, image.digest, signature.digest].map((each) => `manifests/${each}`);
  for (const each of [...manifests, ...blobs]) {
    const { status, body } = await askInTunnel(at, authorization, `${name}/${each}`);
    assert.equal(status, 200, `${name}/${each}: ${body.toString('latin1')}`);
  }
  // That our own account may read it is learned when somebody asks for it who would be shown that.
  if (readers?.includes('robot') === true) await askAtMirror(at, `${name}/manifests/${tag}`);
}

/** It was seen to be good just before it ended: what it proved would count for longer. */
async function endToken(at: Scene, authorization: string): Promise<void> {
  const left = tokenSeconds - proofSeconds - 5;
  await at.clock.advance((left - 5) * second);
  await prove(at, authorization, ['team/plans']);
  await at.clock.advance(10 * second);
}

/** What chance asks may leave out. */
async function prove(at: Scene, authorization: string, repositories: readonly string[]): Promise<void> {
  for (const { name, tag } of Object.values(shelves)) {
    if (!repositories.includes(name)) continue;
    const { status } = await askInTunnel(at, authorization, `${name}/manifests/${tag}`);
    assert.equal(status, 200, name);
  }
}

/** Likewise: who was let in, and has not been refused since, is let in while the registry is away. */
async function beRefused(at: Scene, authorization: string, { name, tag }: Shelf): Promise<void> {
  const { status } = await askInTunnel(at, authorization, `${name}/manifests/${tag}`);
  assert.ok(status === 401 || status === 403 || status === 404, `${name}: ${status}`);
}

/** As a user of this cache, who is told whatever anybody but its owners may be told. */
function askAtMirror(at: Scene, path: string): Promise<Told> {
  const headers = { host: `127.0.0.1:${at.entrepot.port}`, authorization: ops, accept: '*/*' };
  const { port } = at.entrepot;
  return ask({ method: 'GET', path: pathAt('ns', `/v2/${path}`), headers, port, agent: at.agentFor('ns') });
}

function askInTunnel(at: Scene, authorization: string, path: string): Promise<Told> {
  return ask({
    method: 'GET',
    path: `/v2/${path}`,
    headers: { host: 'registry-1.docker.io', authorization, accept: '*/*' },
    port: at.entrepot.port,
    agent: at.agentFor('tunnel'),
  });
}
