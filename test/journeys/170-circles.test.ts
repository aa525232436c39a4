/** Servers that were set up to ask each other. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { get } from '../support/client.ts';
import { Entrepot } from '../support/entrepot.ts';
import { makeImage } from '../support/images.ts';
import { freePort } from '../support/ports.ts';

const image = makeImage({ seed: 'circle', layers: [1_000] });

/** Two of them, each with what leads to the other. */
async function pair(leading: (other: string) => Readonly<Record<string, unknown>>) {
  await using scope = new AsyncDisposableStack();
  const origins = [await freePort(), await freePort()].map((port) => `http://127.0.0.1:${port}`);
  const all: Entrepot[] = [];
  for (const [index, origin] of origins.entries()) {
    const upstream = { insecure: true, dial: ['127.0.0.1'], ...leading(origins[1 - index] ?? '') };
    const config = { http: { addr: new URL(origin).host }, upstreams: { 'quay.io': upstream } };
    all.push(scope.use(await Entrepot.start({ config })));
  }
  const open = scope.move();
  return { origin: origins[0] ?? '', all, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

const ways: readonly (readonly [string, (other: string) => Readonly<Record<string, unknown>>])[] = [
  ['upstream', (other) => ({ url: `${other}/quay.io` })],
  ['mirror', (other) => ({ url: `${other}/quay.io`, mirrors: [`${other}/quay.io`] })],
  ['outbound proxy', (other) => ({ url: 'http://quay.io', proxy: other })],
];

describe('two servers that are each other’s', () => {
  for (const [way, leading] of ways) {
    for (const what of ['manifests/1', `manifests/${image.digest}`, `blobs/${image.config.digest}`, 'tags/list']) {
      test(`${way} say so instead of waiting for each other: ${what}`, async () => {
        await using at = await pair(leading);
        const answer = await get(`${at.origin}/v2/team/app/${what}?ns=quay.io`);
        assert.ok(answer.status >= 500, String(answer.status));
        const requests = at.all.flatMap((each) => each.told('request.done'));
        const [loop] = requests.filter(({ status }) => status === 508);
        assert.match(loop?.errorMessage ?? '', /this server has asked itself/);
        assert.ok(requests.length < 20, 'it does not go round');
      });
    }
  }
});
