import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { LoggedRequest } from '../internet/log.ts';
import { pushedPort, pushedPrefix } from '../lab/backends.ts';
import { assertHeld } from '../pushes/held.ts';
import { assertNothingFetched } from '../traffic.ts';
import { refusal } from './refusal.ts';
import type { Stage } from './stage.ts';

/** Of Docker Hub's users alice may push there, and carol may pull what she pushed. */
export function pushesAsWhoItIs(stage: Stage): void {
  const repository = `${pushedPrefix}${stage.id}`;
  const name = `docker.io/${repository}:1`;
  /** What the registry itself has of it, whole. */
  const arrived = (): Promise<readonly string[]> => assertHeld(repository, '1', `127.0.0.1:${pushedPort}`);
  const push = async (version: string): Promise<readonly string[]> => {
    const archive = await stage.archive(name, version);
    await stage.seenOf((client) => client.push(archive, name));
    return await arrived();
  };
  const pull = (): Promise<readonly LoggedRequest[]> => stage.seenOf((client) => client.pull(name));

  test('pushes through to the registry, and what is pulled then is what was pushed last', async () => {
    await stage.logIn('alice');
    const [first, second] = [await pushedAndPulled('first'), await pushedAndPulled('second')];
    assert.equal(
      first.some((digest) => second.includes(digest)),
      false,
    );
  });

  async function pushedAndPulled(version: string): Promise<readonly string[]> {
    const blobs = await push(version);
    assert.deepEqual(
      blobs.filter((digest) => stage.holds(digest)),
      [],
      'the cache took it from who pushed it',
    );
    const got = (await pull()).filter(({ method, status }) => method === 'GET' && status === 200);
    for (const digest of blobs) {
      assert.ok(
        got.some(({ path }) => path.endsWith(digest)),
        `${digest} did not come from the registry`,
      );
    }
    // What the client has is there at once, and in the store a moment later.
    const late = AbortSignal.timeout(30_000);
    while (!blobs.every((digest) => stage.holds(digest))) await delay(20, undefined, { signal: late });
    return blobs;
  }

  test('is refused a push by the registry, as one who may only pull, and nobody sees anything of it', async () => {
    const before = await arrived();
    await stage.logIn('carol');
    const archive = await stage.archive(name, 'refused');
    const seen = await stage.seenOfRefused((client) => client.push(archive, name), refusal);
    assert.ok(
      seen.some(({ method, path, status }) => method === 'POST' && path.includes('/blobs/') && status === 401),
      'it was not the registry that refused it',
    );
    assert.deepEqual(await arrived(), before);
    assertNothingFetched(await pull());
    await stage.logIn('alice');
    assertNothingFetched(await pull());
  });
}
