/**
 * Somebody who runs registry:2 starts this instead, with the file and the environment that are there: nothing in them is
 * changed, and clients notice nothing.
 */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { startServer } from '../../src/server.ts';
import { testAuthority } from '../support/certificates.ts';
import { get } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { makeImage } from '../support/images.ts';
import { freePort } from '../support/ports.ts';
import { pull } from '../support/pull.ts';
import { push, putManifest } from '../support/push.ts';
import { TempDir } from '../support/temp-dir.ts';

const image = makeImage({ seed: 'ours', layers: [20_000] });

/** What the image of registry:2 ships. */
const shipped = `version: 0.1
log:
  fields:
    service: registry
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: /var/lib/registry
http:
  addr: :5000
  headers:
    X-Content-Type-Options: [nosniff]
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
`;

type Variables = Readonly<Record<string, string>>;

/**
 * Serves a file as it is. Only where the test has to stay on its own machine's loopback and in its own directory does the
 * environment say so, with registry's own variables.
 */
async function serve(text: string, variables: Variables = {}) {
  await using opening = new AsyncDisposableStack();
  const directory = opening.use(await TempDir.make());
  const path = directory.join('config.yml');
  await writeFile(path, text);
  const env = {
    REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: directory.join('volume'),
    REGISTRY_HTTP_ADDR: '127.0.0.1:0',
    REGISTRY_CONFIGURATION_PATH: path,
    ...variables,
  };
  const log = { emit: () => {}, flush: async () => {}, flushSync: () => {}, droppedLines: () => 0 };
  const loaded = await loadConfig({ env });
  const server = await startServer({ loaded, log, env });
  opening.defer(() => server.stop('the test has ended'));
  const scope = opening.move();
  return {
    origin: server.addresses[0] ?? assert.fail('it listens nowhere'),
    config: loaded.config,
    notices: loaded.notices,
    [Symbol.asyncDispose]: () => scope.disposeAsync(),
  };
}

/** Only Docker Hub's double has it, and only for who knows the password, where there is one. */
async function upstreamWith(password: string | undefined): Promise<CountingUpstream> {
  const users = { cache: password ?? '' };
  const auth = { kind: 'bearer', realm: 'own', users, private: ['team/app'] } as const;
  const upstream = await CountingUpstream.start(password === undefined ? {} : { auth });
  upstream.publish('team/app:1', image);
  return upstream;
}

const pullThrough = (upstream: CountingUpstream): string => `proxy:\n  remoteurl: ${upstream.origin}\n`;

describe('the file that the image of registry:2 ships', () => {
  test('starts a registry of every name, which deletes nothing', async () => {
    await using on = await serve(shipped);
    assert.equal(on.config.mode, 'registry');
    await push(on.origin, 'app', '1', image);
    await push(on.origin, 'team/deep/app', '1', image);
    await pull(on.origin, 'team/deep/app', '1');
    const catalog = await get(`${on.origin}/v2/_catalog`);
    assert.deepEqual(JSON.parse(catalog.body.toString()), { repositories: ['app', 'team/deep/app'] });
    assert.equal(catalog.headers['x-content-type-options'], 'nosniff');
    assert.equal((await get(`${on.origin}/v2/app/manifests/${image.digest}`, { method: 'DELETE' })).status, 405);
    assert.equal((await get(`${on.origin}/v2/other/manifests/1`)).status, 404);
    assert.equal((await get(`${on.origin}/`)).status, 200);
  });

  test('means these places, where nothing says otherwise', async () => {
    const { config } = await loadConfig({ text: shipped, env: {} });
    assert.deepEqual(config.http.listen, [{ host: undefined, port: 5000 }]);
    assert.deepEqual(config.storage, { driver: 'filesystem', rootDirectory: '/var/lib/registry' });
  });

  test('and a remoteurl make a cache of that registry, which takes no pushes and outlives it', async () => {
    await using upstream = await upstreamWith(undefined);
    await using on = await serve(shipped + pullThrough(upstream));
    await pull(on.origin, 'team/app', '1');
    const catalog = await get(`${on.origin}/v2/_catalog`);
    assert.deepEqual(JSON.parse(catalog.body.toString()), { repositories: ['team/app'] });
    assert.equal((await putManifest(`${on.origin}/v2/team/app`, '2', image)).status, 405);
    await upstream[Symbol.asyncDispose]();
    await pull(on.origin, 'team/app', '1');
  });

  test('and a remoteurl with username and password give everybody what that user may pull', async () => {
    await using upstream = await upstreamWith('correct-horse');
    await using on = await serve(`${shipped}${pullThrough(upstream)}  username: cache\n  password: correct-horse\n`);
    assert.ok(
      on.notices.some((notice) => notice.includes('can pull whatever cache may pull')),
      on.notices.join('\n'),
    );
    await pull(on.origin, 'team/app', '1');
    await using without = await serve(shipped + pullThrough(upstream));
    assert.equal((await get(`${without.origin}/v2/team/app/manifests/1`)).status, 403);
  });

  test('and a remoteurl with a program to ask give everybody what its user may pull', async () => {
    await using upstream = await upstreamWith('correct-horse');
    await using directory = await TempDir.make();
    const command = directory.join('helper');
    const answer = '{"ServerURL":"","Username":"cache","Secret":"correct-horse"}';
    await writeFile(command, `#!/bin/sh\ncat > '${directory.join('asked')}'\necho '${answer}'\n`, { mode: 0o755 });
    await using on = await serve(`${shipped}${pullThrough(upstream)}  exec:\n    command: ${command}\n`);
    await pull(on.origin, 'team/app', '1');
    assert.equal(await readFile(directory.join('asked'), 'utf8'), new URL(upstream.origin).host);
  });
});

describe('a file for a cache behind a proxy that ends TLS', () => {
  test('serves clients who know only that proxy', async () => {
    await using upstream = await upstreamWith(undefined);
    await using on = await serve(`version: 0.1
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: /var/lib/registry
  delete:
    enabled: true
http:
  addr: :5000
  headers:
    X-Content-Type-Options: [nosniff]
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
${pullThrough(upstream)}`);
    await using front = await tlsProxy(on.origin);
    const { ca } = testAuthority();
    await pull(front.origin, 'team/app', '1', { ca });
    const answer = await get(`${front.origin}/v2/`, { ca });
    assert.deepEqual([answer.status, answer.headers['x-content-type-options']], [200, 'nosniff']);
    const tags = await get(`${front.origin}/v2/team/app/tags/list?n=1`, { ca });
    assert.deepEqual(JSON.parse(tags.body.toString()), { name: 'team/app', tags: ['1'] });
  });

  test('hands its links out by the way that the client came', async () => {
    await using on = await serve(shipped);
    await using front = await tlsProxy(on.origin);
    const { ca } = testAuthority();
    await push(front.origin, 'app', '1', image, { ca });
    await pull(front.origin, 'app', '1', { ca });
  });
});

describe('the environment of a swarm service', () => {
  test('serves TLS with the secrets that it names', async () => {
    await using secrets = await TempDir.make();
    const { cert, key } = testAuthority().issue(['127.0.0.1']);
    await writeFile(secrets.join('x.crt'), cert);
    await writeFile(secrets.join('x.key'), key);
    const port = await freePort();
    await using on = await serve(shipped, {
      REGISTRY_HTTP_ADDR: `127.0.0.1:${port}`,
      REGISTRY_HTTP_TLS_CERTIFICATE: secrets.join('x.crt'),
      REGISTRY_HTTP_TLS_KEY: secrets.join('x.key'),
    });
    assert.equal(on.origin, `https://127.0.0.1:${port}`);
    const { ca } = testAuthority();
    await push(on.origin, 'app', '1', image, { ca });
    await pull(on.origin, 'app', '1', { ca });
    assert.equal((await get(`${on.origin}/v2/`, { ca })).headers['x-content-type-options'], 'nosniff');
  });

  test('means every address where it says so', async () => {
    const { config } = await loadConfig({ text: shipped, env: { REGISTRY_HTTP_ADDR: '0.0.0.0:443' } });
    assert.deepEqual(config.http.listen, [{ host: '0.0.0.0', port: 443 }]);
  });
});

/** Another server, in front: it speaks TLS with the clients, plain HTTP with us, and says so in its headers. */
async function tlsProxy(origin: string) {
  const { cert, key } = testAuthority().issue(['127.0.0.1']);
  const { hostname, port } = new URL(origin);
  const server = createServer({ cert, key }, (incoming, outgoing) => {
    const headers = { ...incoming.headers, 'x-forwarded-proto': 'https', 'x-forwarded-for': '192.0.2.1' };
    const options = { hostname, port, path: incoming.url, method: incoming.method, headers };
    const onward = request(options, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
