/**
 * A fleet asks for the same manifest again and again, and is answered from what was worked out before. Whatever that rested
 * on counts from the moment it changes.
 */
import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { describe, test } from 'node:test';
import { get, head } from '../support/client.ts';
import type { Answer } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { makeImage } from '../support/images.ts';
import { through } from '../support/tunnel.ts';

const seconds = 1_000;
const yesterday = makeImage({ seed: 'yesterday' });
const today = makeImage({ seed: 'today' });

/** `team/app:1`, asked for so often that nothing about it is worked out any more. */
async function scene(door: Door) {
  // Certificates are looked at by the real clock.
  const clock = new FakeClock(Date.now());
  await using opening = new AsyncDisposableStack();
  const hub = opening.use(await CountingUpstream.start({ auth: { kind: 'bearer' }, now: () => clock.now() }));
  hub.publish('team/app:1', yesterday);
  const entrepot = opening.use(await Entrepot.start({ upstreams: { 'docker.io': hub }, clock }));
  const agent = opening.adopt(await agentFor(door, entrepot), (each) => each.destroy());
  const base = door === 'ns' ? entrepot.origin : 'http://registry-1.docker.io';
  const url = (reference: string): string => `${base}/v2/team/app/manifests/${reference}?ns=docker.io`;
  const both = async (reference: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer[]> => [
    await get(url(reference), { headers, agent }),
    await head(url(reference), { headers, agent }),
  ];
  for (const reference of ['1', yesterday.digest]) for (let round = 0; round < 3; round += 1) await both(reference);
  hub.reset();
  const scope = opening.move();
  return { clock, hub, entrepot, both, [Symbol.asyncDispose]: () => scope.disposeAsync() };
}

async function agentFor(door: Door, { origin, port }: Entrepot): Promise<Agent> {
  if (door === 'ns') return new Agent({ keepAlive: true });
  const ca = (await get(`${origin}/ca.crt?ca=interception`)).body.toString();
  return through(port, { target: 'registry-1.docker.io:443', ca, keepAlive: true });
}

const statuses = (answers: readonly Answer[]): number[] => answers.map(({ status }) => status);

type Door = 'ns' | 'tunnel';

for (const door of ['ns', 'tunnel'] as const) {
  describe(`a manifest that is asked for again and again by ${door}`, () => {
    test('is the same each time but for its age, and told of each time', async () => {
      await using at = await scene(door);
      at.hub.forbid();
      for (const reference of ['1', yesterday.digest]) {
        const before = at.entrepot.told('request.done').length;
        const [first, firstHead] = await at.both(reference);
        await at.clock.advance(5 * seconds);
        const [second, secondHead] = await at.both(reference);
        assert.ok(first && firstHead && second && secondHead);
        assert.deepEqual(second.body, yesterday.bytes);
        assert.deepEqual(secondHead.body.length, 0);
        assert.equal(Number(second.headers.age) - Number(first.headers.age), 5);
        const lasting = ({ headers }: Answer): object => ({ ...headers, age: '', date: '', 'x-request-id': '' });
        for (const answer of [second, firstHead, secondHead]) assert.deepEqual(lasting(answer), lasting(first));
        const told = at.entrepot.told('request.done').slice(before);
        assert.deepEqual(
          told.map(({ outcome, upstream, door: by, reference: asked }) => [outcome, upstream, by, asked]),
          Array.from({ length: 4 }, () => ['hit', 'docker.io', door, reference]),
        );
      }
      at.hub.assertUntouched();
    });

    test('is asked about upstream when it is due, or the client insists', async () => {
      await using at = await scene(door);
      await at.both('1', { 'cache-control': 'no-cache' });
      assert.equal(at.hub.count({ method: 'HEAD' }), 2);
      at.hub.publish('team/app:1', today);
      await at.clock.advance(60 * seconds);
      for (const { headers } of await at.both('1')) assert.equal(headers['docker-content-digest'], today.digest);
      assert.equal(at.hub.count({ method: 'HEAD' }), 3);
    });

    test('is not sent to who has it', async () => {
      await using at = await scene(door);
      assert.deepEqual(statuses(await at.both('1', { 'if-none-match': `"${yesterday.digest}"` })), [304, 304]);
      assert.deepEqual(statuses(await at.both('1', { 'if-none-match': '"another"' })), [200, 200]);
    });

    test('leads to another one from the moment its tag moves, and is fetched again from the moment it is purged', async () => {
      await using at = await scene(door);
      at.hub.publish('team/app:1', today);
      await at.entrepot.admin('POST /v1/refresh', { image: 'docker.io/team/app:1' });
      for (const { headers } of await at.both('1')) assert.equal(headers['docker-content-digest'], today.digest);
      await at.entrepot.admin('POST /v1/purge', { image: 'docker.io/team/app:1' });
      const [again] = await at.both('1');
      assert.equal(again?.headers['x-cache'], 'miss');
    });

    test('is refused from the moment the operator forbids it, and there again when he allows it', async () => {
      await using at = await scene(door);
      const asked = async (): Promise<number[]> =>
        statuses([...(await at.both('1')), ...(await at.both(yesterday.digest))]);
      for (const rules of [
        { access: [{ who: 'anonymous', may: 'pull', on: 'docker.io/library/**' }] },
        { upstreams: { 'docker.io': { deny: ['team/**'] } } },
      ]) {
        await at.entrepot.configure(rules);
        assert.ok((await asked()).every((status) => status === 403 || status === 401));
        await at.entrepot.configure({});
        assert.deepEqual(await asked(), [200, 200, 200, 200]);
      }
    });
  });
}

test('a manifest that was public is said again through a tunnel to nobody whom its registry does not show it any more', async () => {
  await using at = await scene('tunnel');
  at.hub.gatekeeper.setPrivate(['team/app']);
  await at.clock.advance(61 * 60 * seconds);
  assert.deepEqual(statuses([...(await at.both('1')), ...(await at.both(yesterday.digest))]), [401, 401, 401, 401]);
});
