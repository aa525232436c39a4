/**
 * A fleet asks for the same manifest again and again, and is answered from what was worked out before. Whatever that rested
 * on counts from the moment it changes.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { get, head } from '../support/client.ts';
import type { Answer } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { makeImage } from '../support/images.ts';

const seconds = 1_000;
const yesterday = makeImage({ seed: 'yesterday' });
const today = makeImage({ seed: 'today' });

/** `team/app:1`, asked for so often that nothing about it is worked out any more. */
async function scene() {
  const clock = new FakeClock();
  await using opening = new AsyncDisposableStack();
  const hub = opening.use(await CountingUpstream.start({ now: () => clock.now() }));
  hub.publish('team/app:1', yesterday);
  const entrepot = opening.use(await Entrepot.start({ upstreams: { 'docker.io': hub }, clock }));
  const url = (reference: string): string => `${entrepot.origin}/v2/team/app/manifests/${reference}?ns=docker.io`;
  const both = async (reference: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer[]> => [
    await get(url(reference), { headers }),
    await head(url(reference), { headers }),
  ];
  for (const reference of ['1', yesterday.digest]) for (let round = 0; round < 3; round += 1) await both(reference);
  hub.reset();
  const scope = opening.move();
  return { clock, hub, entrepot, both, [Symbol.asyncDispose]: () => scope.disposeAsync() };
}

const statuses = (answers: readonly Answer[]): number[] => answers.map(({ status }) => status);

describe('a manifest that is asked for again and again', () => {
  test('is the same each time but for its age, and told of each time', async () => {
    await using at = await scene();
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
        told.map(({ outcome, upstream, door, reference: asked }) => [outcome, upstream, door, asked]),
        Array.from({ length: 4 }, () => ['hit', 'docker.io', 'ns', reference]),
      );
    }
    at.hub.assertUntouched();
  });

  test('is asked about upstream when it is due, or the client insists', async () => {
    await using at = await scene();
    await at.both('1', { 'cache-control': 'no-cache' });
    assert.equal(at.hub.count({ method: 'HEAD' }), 2);
    at.hub.publish('team/app:1', today);
    await at.clock.advance(60 * seconds);
    for (const { headers } of await at.both('1')) assert.equal(headers['docker-content-digest'], today.digest);
    assert.equal(at.hub.count({ method: 'HEAD' }), 3);
  });

  test('is not sent to who has it', async () => {
    await using at = await scene();
    assert.deepEqual(statuses(await at.both('1', { 'if-none-match': `"${yesterday.digest}"` })), [304, 304]);
    assert.deepEqual(statuses(await at.both('1', { 'if-none-match': '"another"' })), [200, 200]);
  });

  test('leads to another one from the moment its tag moves, and is fetched again from the moment it is purged', async () => {
    await using at = await scene();
    at.hub.publish('team/app:1', today);
    await at.entrepot.admin('POST /v1/refresh', { image: 'docker.io/team/app:1' });
    for (const { headers } of await at.both('1')) assert.equal(headers['docker-content-digest'], today.digest);
    await at.entrepot.admin('POST /v1/purge', { image: 'docker.io/team/app:1' });
    const [again] = await at.both('1');
    assert.equal(again?.headers['x-cache'], 'miss');
  });

  test('is refused from the moment the operator forbids it, and there again when he allows it', async () => {
    await using at = await scene();
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
