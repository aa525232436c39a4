/**
 * Registries get HEAD wrong, or GET, each in its own way. What a client hears, for every pair (distribution#3270, #4383,
 * #4747, #4895).
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { get, head } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { makeImage } from '../support/images.ts';
import { noDigestHeader, noLength, redirect, reset, status } from '../support/upstream-faults.ts';
import type { Fault } from '../support/upstream-faults.ts';

/** How an upstream may answer for a tag; `undefined` is as it should. */
const habits: Readonly<Record<string, (tag: string) => Fault | undefined>> = {
  right: () => undefined,
  'right, after redirects': (tag) => redirect(`/v2/library/app/manifests/hop-${tag}`, 302),
  'without a length': noLength,
  'without a digest': noDigestHeader,
  401: () => status(401),
  404: () => status(404),
  405: () => status(405),
  429: () => status(429, { 'retry-after': '5' }),
  500: () => status(500),
  'a reset': reset,
};

/** What a client hears of it when nothing is held. */
const heard: Readonly<Record<string, number>> = {
  right: 200,
  'right, after redirects': 200,
  'without a length': 200,
  'without a digest': 200,
  401: 403,
  404: 404,
  405: 502,
  429: 429,
  500: 503,
  'a reset': 503,
};

/** The answers to HEAD that are no answers yet: GET decides. */
const undecided = ['without a length', 'without a digest', '401', '404', '405'];

describe('a tag', () => {
  for (const onHead of Object.keys(habits)) {
    test(`for which HEAD is ${onHead} upstream, whatever GET is there`, async () => {
      const clock = new FakeClock();
      await using hub = await CountingUpstream.start({ now: () => clock.now() });
      await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub }, clock });
      for (const [position, onGet] of Object.keys(habits).entries()) {
        const tag = `v${position}`;
        const image = makeImage({ seed: tag });
        for (const name of [tag, `end-${tag}`]) hub.publish(`library/app:${name}`, image);
        hub.fault({ path: `/hop-${tag}` }, redirect(`${hub.origin}/v2/library/app/manifests/end-${tag}`));
        const url = `${entrepot.origin}/v2/library/app/manifests/${tag}`;
        const pair = `HEAD ${onHead}, GET ${onGet}`;
        const behave = (method: string, habit: string): Disposable | undefined => {
          const fault = habits[habit]?.(tag);
          return fault && hub.fault({ method, path: new RegExp(`/${tag}$`) }, fault);
        };
        {
          using _head = behave('HEAD', onHead);
          using _get = behave('GET', onGet);
          const asked = await head(url);
          assert.equal(asked.status, heard[undecided.includes(onHead) ? onGet : onHead], `asked, with ${pair}`);
          if (asked.status === 200) {
            assert.equal(asked.headers['content-length'], String(image.size), pair);
            assert.equal(asked.headers['docker-content-digest'], image.digest, pair);
          }
          await clock.advance(120_000);
          const fetched = await get(url);
          // What the HEAD has brought is held by now, and served however the GET would have gone.
          const isHeld = asked.status === 200 && undecided.includes(onHead);
          assert.equal(fetched.status, isHeld ? 200 : heard[onGet], `fetched, with ${pair}`);
          if (fetched.status === 200) assert.deepEqual(fetched.body, image.bytes, pair);
          await clock.advance(120_000);
        }
        assert.equal((await get(url)).status, 200, `after ${pair}`);
        await clock.advance(120_000);
        using _head = behave('HEAD', onHead);
        using _get = behave('GET', onGet);
        for (const answer of [await get(url), await head(url)]) {
          assert.equal(answer.status, 200, `held, with ${pair}`);
          assert.equal(answer.headers['docker-content-digest'], image.digest);
        }
        await clock.advance(120_000);
      }
    });
  }
});
