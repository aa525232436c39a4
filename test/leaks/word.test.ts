/** A registry that says it has a blob, and has nothing: what others keep for their own is not opened by its word. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { get, together } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { makeImage } from '../support/images.ts';
import { push } from '../support/push.ts';

const plans = makeImage({ seed: 'plans' });
const open = makeImage({ seed: 'open' });
const hosted = makeImage({ seed: 'hosted' });
const credentials = { username: 'cache', password: 'pw' };

/** Held here: what only our account may read at Quay, what anybody may, and what was pushed here. */
async function scene() {
  await using opening = new AsyncDisposableStack();
  const auth = { kind: 'bearer', realm: 'own', users: { cache: 'pw' }, private: ['team/plans'] } as const;
  const quay = opening.use(await CountingUpstream.start({ auth }));
  quay.publish('team/plans:1', plans);
  quay.publish('team/open:1', open);
  const partner = opening.use(await startPartner());
  const entrepot = opening.use(
    await Entrepot.start({
      upstreams: { 'quay.io': quay },
      config: {
        upstreams: {
          'quay.io': { credentials },
          'partner.test': { url: partner.url, insecure: true, dial: ['127.0.0.1'] },
        },
        access: [
          { who: 'anonymous', may: 'pull', on: ['quay.io/**', 'partner.test/**'] },
          { who: 'anonymous', may: 'push', on: 'local/**' },
        ],
      },
    }),
  );
  for (const name of ['plans', 'open']) {
    const { body } = await entrepot.admin('POST /v1/pull', { image: `quay.io/team/${name}:1` });
    assert.match(body.toString(), /"type":"done"/);
  }
  await push(entrepot.origin, 'local/secret', '1', hosted);
  assert.equal((await get(`${entrepot.origin}/v2/quay.io/team/open/manifests/1`)).status, 200);
  const scope = opening.move();
  return {
    partner,
    ask: (digest: string, method = 'GET') =>
      get(`${entrepot.origin}/v2/x/y/blobs/${digest}?ns=partner.test`, { method }),
    [Symbol.asyncDispose]: () => scope.disposeAsync(),
  };
}

/** Has every blob, by its own account; what it sends is `content`, or nothing. */
async function startPartner() {
  const partner = { says: 7, content: undefined as Buffer | undefined, gets: 0 };
  const server = createServer(({ method, url = '' }, response) => {
    if (url === '/v2/') return response.end('{}');
    if (url.includes('/blobs/') && method === 'HEAD') {
      return response.writeHead(200, { 'Content-Length': partner.says }).end();
    }
    partner.gets += 1;
    const { content } = partner;
    if (content === undefined) return response.writeHead(404).end();
    return response.writeHead(200, { 'Content-Length': content.length }).end(content);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(partner, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async (): Promise<void> => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  });
}

for (const [whose, { config, layers }] of Object.entries({ 'at another registry': plans, 'pushed here': hosted })) {
  test(`what is private ${whose} is not opened, whatever size is said`, async () => {
    await using at = await scene();
    for (const blob of [config, ...layers]) {
      for (const says of [7, blob.size]) {
        at.partner.says = says;
        for (const content of [undefined, Buffer.alloc(blob.size, 'x'), Buffer.alloc(7)]) {
          at.partner.content = content;
          for (const method of ['HEAD', 'GET']) {
            const { status, body } = await at.ask(blob.digest, method);
            assert.ok(status >= 400, `${method}, ${says} bytes: ${status}`);
            assert.ok(!body.includes(blob.bytes().subarray(0, 50)));
          }
        }
      }
    }
  });
}

test('what is private elsewhere is shown by who sends it, once for all who ask', async () => {
  await using at = await scene();
  Object.assign(at.partner, { says: plans.config.size, content: plans.config.bytes() });
  for (const { status, body } of await together(10, () => at.ask(plans.config.digest))) {
    assert.equal(status, 200);
    assert.deepEqual(body, plans.config.bytes());
  }
  assert.equal((await at.ask(plans.config.digest)).status, 200);
  assert.equal(at.partner.gets, 1);
});

test('what anybody may read elsewhere costs a registry nothing', async () => {
  await using at = await scene();
  assert.equal((await at.ask(open.config.digest)).status, 200);
  assert.equal(at.partner.gets, 0);
});
