/**
 * The upstream is away, rude or lying. What is held is served; what is not is refused with the very reason.
 */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { makeAuthority } from '../support/certificates.ts';
import { get, head } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { makeImage } from '../support/images.ts';
import { pull } from '../support/pull.ts';
import { close, html200, reset, status } from '../support/upstream-faults.ts';

const held = makeImage({ seed: 'held' });
const other = makeImage({ seed: 'other' });

/** Every answer is due at once, and nobody waits long: what an outage does shows without a clock. */
const always = { freshness: 0 };
/** For what says nothing: all else may take its time on a busy machine. */
const impatient = { timeouts: { connect: '1s', headers: '1s', stall: '1s' } };

/** Docker Hub has `library/app:held`, which the cache holds, and `library/app:other`, which it does not. */
async function scene() {
  await using opening = new AsyncDisposableStack();
  const hub = opening.use(await CountingUpstream.start({ auth: { kind: 'bearer', realm: 'other' } }));
  hub.publish('library/app:held', held);
  hub.publish('library/app:other', other);
  const config = { upstreams: { 'docker.io': always } };
  const entrepot = opening.use(await Entrepot.start({ upstreams: { 'docker.io': hub }, config }));
  await pull(entrepot.origin, 'library/app', 'held');
  await entrepot.stored(3);
  const scope = opening.move();
  return {
    hub,
    entrepot,
    url: (path: string): string => `${entrepot.origin}/v2/library/app/${path}`,
    /** From now on the configuration says so of Docker Hub. */
    configure: (keys: object) => entrepot.configure({ upstreams: { 'docker.io': { ...always, ...keys } } }),
    scope,
    [Symbol.asyncDispose]: () => scope.disposeAsync(),
  };
}
type Scene = Awaited<ReturnType<typeof scene>>;

interface Outage {
  readonly begin: (at: Scene) => unknown;
  /** What becomes of a request for what is not held. */
  readonly status: number;
  readonly code: string;
  readonly says: RegExp;
  readonly retryAfter?: string;
}

const manifests = { path: '/manifests/' };

const outages: Readonly<Record<string, Outage>> = {
  'its name no longer resolves': {
    begin: async ({ configure }) => configure({ url: 'http://gone.test', resolver: [await deafNameServer()] }),
    status: 503,
    code: 'UNAVAILABLE',
    says: /gone\.test.*cannot be reached.*ENOTFOUND.*check the network, DNS and upstreams\.docker\.io/,
  },
  'it refuses connections': {
    begin: ({ hub }) => hub.down(),
    status: 503,
    code: 'UNAVAILABLE',
    says: /cannot be reached.*ECONNREFUSED/,
  },
  'it does not speak TLS where it should': {
    begin: ({ hub, configure }) => configure({ url: hub.origin.replace('http:', 'https:') }),
    status: 503,
    code: 'UNAVAILABLE',
    says: /TLS: wrong version number; if it speaks plain http, say so in upstreams\.docker\.io\.url/,
  },
  'its certificate is nobody’s': {
    begin: async ({ scope, configure }) => {
      const stranger = scope.use(await CountingUpstream.start({ tls: makeAuthority('Stranger') }));
      await configure({ url: stranger.origin, insecure: false });
    },
    status: 503,
    code: 'UNAVAILABLE',
    says: /certificate.*upstreams\.docker\.io\.ca/,
  },
  'it swallows every packet': {
    begin: async ({ hub, configure }) => {
      await configure(impatient);
      hub.blackhole();
    },
    status: 504,
    code: 'UNAVAILABLE',
    says: /took too long.*1000 ms.*upstreams\.docker\.io\.timeouts/,
  },
  'it resets every connection': {
    begin: ({ hub }) => hub.fault({ host: 'registry' }, reset()),
    status: 503,
    code: 'UNAVAILABLE',
    says: /broke the connection off/,
  },
  'it answers 401': {
    begin: ({ hub }) => hub.fault(manifests, status(401)),
    status: 403,
    code: 'DENIED',
    says: /lets nobody read.*without credentials \(401\).*upstreams\.docker\.io\.credentials/,
  },
  'it answers 403': {
    begin: ({ hub }) => hub.fault(manifests, status(403)),
    status: 403,
    code: 'DENIED',
    says: /\(403\)/,
  },
  'it answers 404': {
    begin: ({ hub }) => hub.fault(manifests, status(404)),
    status: 404,
    code: 'MANIFEST_UNKNOWN',
    says: /no tag other in docker\.io\/library\/app \(http:\/\/127\.0\.0\.1:\d+\)/,
  },
  'it answers 429': {
    begin: ({ hub }) => hub.fault(manifests, status(429, { 'retry-after': '42' })),
    status: 429,
    code: 'TOOMANYREQUESTS',
    says: /limits our requests.*in 42 s/,
    retryAfter: '42',
  },
  'it answers 500': {
    begin: ({ hub }) => hub.fault(manifests, status(500)),
    status: 503,
    code: 'UNAVAILABLE',
    says: /failed \(500\)/,
  },
  'it answers 503': {
    begin: ({ hub }) => hub.fault(manifests, status(503)),
    status: 503,
    code: 'UNAVAILABLE',
    says: /failed \(503\)/,
  },
  'it is a web page (harbor#23882)': {
    begin: ({ hub }) => hub.fault({ host: 'registry' }, html200()),
    status: 502,
    code: 'UNAVAILABLE',
    says: /a web page.*upstreams\.docker\.io\.url/,
  },
  'its token service answers 429 (harbor#23750)': {
    begin: ({ hub }) => withoutTokens(hub, status(429, { 'retry-after': '7' })),
    status: 429,
    code: 'TOOMANYREQUESTS',
    says: /token service of docker\.io.*limits our requests/,
    retryAfter: '7',
  },
  'its token service answers 500 (harbor#13112)': {
    begin: ({ hub }) => withoutTokens(hub, status(500)),
    status: 503,
    code: 'UNAVAILABLE',
    says: /token service of docker\.io.*failed \(500\)/,
  },
  'its token service hangs up (harbor#16429)': {
    begin: ({ hub }) => withoutTokens(hub, close()),
    status: 503,
    code: 'UNAVAILABLE',
    says: /token service of docker\.io.*broke the connection off/,
  },
  'its token service says nothing at all (quay#4776)': {
    begin: async ({ hub, configure }) => {
      await configure(impatient);
      hub.gatekeeper.revokeTokens();
      hub.blackhole('token');
    },
    status: 504,
    code: 'UNAVAILABLE',
    says: /token service of docker\.io.*took too long/,
  },
};

describe('while an upstream is away', () => {
  for (const [name, outage] of Object.entries(outages)) {
    test(`because ${name}, what is held is served, and what is not is refused with ${outage.status}`, async () => {
      await using at = await scene();
      await outage.begin(at);

      const byTag = await get(at.url('manifests/held'));
      assert.deepEqual(byTag.body, held.bytes);
      assert.equal(byTag.headers['x-cache'], 'stale');
      assert.equal((await get(at.url(`manifests/${held.digest}`))).headers['x-cache'], 'hit');
      assert.equal((await pull(at.entrepot.origin, 'library/app', 'held')).digest, held.digest);

      const refused = await get(at.url('manifests/other'));
      const [error] = (JSON.parse(refused.body.toString()) as { errors: { code: string; message: string }[] }).errors;
      assert.equal(refused.status, outage.status, error?.message ?? '');
      assert.equal(error?.code, outage.code);
      assert.match(error?.message ?? '', outage.says);
      assert.equal((await head(at.url('manifests/other'))).status, outage.status);
      if (outage.retryAfter !== undefined) assert.equal(refused.headers['retry-after'], outage.retryAfter);
      assert.ok(at.entrepot.told('cache.stale').length > 0);
    });
  }

  test('a blob that is not held is refused in the same words', async () => {
    await using at = await scene();
    const { digest } = other.config;
    using broken = at.hub.fault({ path: '/blobs/' }, status(503));
    assert.equal((await get(at.url(`blobs/${digest}`))).status, 503);
    assert.equal((await head(at.url(`blobs/${digest}`))).status, 503);
    broken.lift();
    assert.deepEqual((await get(at.url(`blobs/${digest}`))).body, other.config.bytes());
  });

  test('a web page is never a blob, either (harbor#23882)', async () => {
    await using at = await scene();
    at.hub.fault({ path: '/blobs/' }, html200());
    for (const ask of [get, head]) assert.equal((await ask(at.url(`blobs/${other.config.digest}`))).status, 502);
    assert.deepEqual(
      await at.entrepot.admin('GET /v1/statistics').then(({ body }) => JSON.parse(String(body)).blobs),
      3,
    );
  });

  test('one refusal is not remembered against the next client (docker-registry-proxy#5)', async () => {
    await using at = await scene();
    const refusal = at.hub.fault({ ...manifests, times: 2 }, status(401));
    assert.equal((await get(at.url('manifests/other'))).status, 403);
    assert.ok(refusal.hits > 0);
    refusal.lift();
    assert.deepEqual((await get(at.url('manifests/other'))).body, other.bytes);
  });
});

describe('what the operator does not want kept', () => {
  test('is refused when the upstream no longer has it (keep.notfound: false)', async () => {
    await using at = await scene();
    await at.configure({ keep: { notfound: false } });
    at.hub.withdraw('library/app:held');
    assert.equal((await get(at.url('manifests/held'))).status, 404);
    assert.equal((await get(at.url(`manifests/${held.digest}`))).status, 200, 'content by digest is what it is');
    await at.hub.down();
    assert.equal((await get(at.url('manifests/held'))).status, 503, 'the tag is forgotten');
  });

  test('is refused when the upstream denies it to us (keep.denied: false)', async () => {
    await using at = await scene();
    await at.configure({ keep: { denied: false } });
    using denied = at.hub.fault(manifests, status(403));
    assert.equal((await get(at.url('manifests/held'))).status, 403);
    denied.lift();
    using unlisted = at.hub.fault({ path: '/tags/' }, status(403));
    assert.equal((await get(at.url('tags/list'))).status, 403);
    unlisted.lift();
    at.hub.fault(manifests, status(500));
    assert.equal(
      (await get(at.url('manifests/held'))).headers['x-cache'],
      'stale',
      'other failures are still outlived',
    );
  });
});

/** From now on every request needs a new token, and the token service fails. */
function withoutTokens(hub: CountingUpstream, fault: Parameters<CountingUpstream['fault']>[1]): void {
  hub.gatekeeper.revokeTokens();
  hub.fault({ host: 'token' }, fault);
}

/** A name server that knows no name. It ends with the process. */
async function deafNameServer(): Promise<string> {
  const server = createSocket('udp4').unref();
  server.on('message', (question, { port, address }) => {
    const answer = Buffer.from(question);
    // RFC 1035, 4.1.1: a response, recursion available, RCODE 3 (no such name).
    answer.writeUInt16BE(0x8183, 2);
    server.send(answer, port, address);
  });
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${server.address().port}`;
}
