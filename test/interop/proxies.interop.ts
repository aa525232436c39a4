import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { labEnvironment } from './lab/environment.ts';
import { Machine } from './lab/machine.ts';
import { Daemon, run } from './lab/process.ts';
import { listens } from './lab/ready.ts';
import { cacheAuthority, cacheHost, cachePort } from './lab/server.ts';
import { caddy, haproxy, nginx } from './proxies/front.ts';
import type { Front } from './proxies/front.ts';

const environment = labEnvironment();
const MiB = 1024 * 1024;

for (const front of [nginx, haproxy, caddy]) {
  const obstacle = environment === undefined ? 'not in the lab: run `npm run interop`' : await missing(front);
  describe(`behind ${front.name}`, { skip: obstacle ?? false }, () => {
    const resources = new AsyncDisposableStack();
    let at: Awaited<ReturnType<typeof setUp>>;
    before(async () => {
      at = await setUp(resources, front);
    });
    after(() => resources.disposeAsync());

    test('links lead through the proxy', async () => {
      const started = await at.ask('POST', '/v2/app/blobs/uploads/');
      assert.equal(started.statusCode, 202);
      const location = new URL(started.headers.location ?? '', `https://${cacheHost}`);
      assert.equal(location.origin, `https://${cacheHost}`);
    });

    test('an upload arrives while it is being sent', async () => {
      const started = await at.ask('POST', '/v2/app/blobs/uploads/');
      const path = started.headers.location ?? '';
      const sending = at.open('PATCH', path, { 'content-length': String(16 * MiB) });
      sending.write(Buffer.alloc(8 * MiB));
      const arrived = await at.arrived(path, 4 * MiB);
      assert.ok(arrived, 'half of what was sent so far is here before the rest is sent');
      sending.end(Buffer.alloc(8 * MiB));
      const [answer] = (await once(sending, 'response')) as [IncomingMessage];
      assert.equal(answer.statusCode, 202);
      answer.resume();
    });

    test('real clients push and pull an image with a layer of 200 MB', async () => {
      await at.crane('append', '--new_layer', at.layer, '--new_tag', `${cacheHost}/app:1`);
      await at.crane('pull', `${cacheHost}/app:1`, join(at.directory, 'pulled.tar'));
      await at.skopeo('copy', `docker://${cacheHost}/app:1`, `docker://${cacheHost}/local/copy:1`);
      await at.skopeo('copy', `docker://${cacheHost}/local/copy:1`, `dir:${at.directory}/copy`);
    });

    test('the log names the client, not the proxy', async () => {
      await at.ask('GET', '/v2/app/manifests/1', { 'user-agent': 'who-am-i' });
      const line = await at.logLine('who-am-i');
      assert.match(line, new RegExp(at.clientAddress.replaceAll('.', '\\.')));
    });
  });
}

async function setUp(resources: AsyncDisposableStack, front: Front) {
  if (environment === undefined) throw new Error('this runs inside the lab only');
  const machine = new Machine(environment, 'sid');
  const directory = await machine.directory(`proxied-${front.program}`);
  const log = join(directory, 'log');
  resources.use(await startServer(directory, log));
  resources.use(await front.start(environment));
  const ca = join(environment.work, 'pki/ca.pem');
  const layer = join(directory, 'layer.tar');
  await run([
    'sh',
    '-c',
    `head -c 200000000 /dev/urandom >${directory}/noise && tar -C ${directory} -cf ${layer} noise`,
  ]);
  const agent = resources.adopt(new Agent({ ca: await readFile(ca), keepAlive: true }), (made) => made.destroy());
  const open = (method: string, path: string, headers: Readonly<Record<string, string>> = {}): ClientRequest =>
    request(new URL(path, `https://${cacheHost}`), { method, headers, agent, localAddress: clientAddress });
  const ask = async (method: string, path: string, headers?: Readonly<Record<string, string>>) => {
    const [answer] = (await once(open(method, path, headers).end(), 'response')) as [IncomingMessage];
    await text(answer);
    return answer;
  };
  return {
    directory,
    layer,
    clientAddress,
    open,
    ask,
    crane: (...words: readonly string[]) => machine.run(['crane', ...words], { env: { SSL_CERT_FILE: ca } }),
    skopeo: (...words: readonly string[]) => machine.run(['skopeo', ...words], { env: { SSL_CERT_FILE: ca } }),
    /** Whether an upload has come so far, asked for on another connection. */
    arrived: async (path: string, bytes: number): Promise<boolean> => {
      for (let tries = 0; tries < 100; tries += 1) {
        const answer = await ask('GET', path);
        const [, last] = /^(?:bytes=)?0-(\d+)$/.exec(String(answer.headers['range'])) ?? [];
        if (Number(last ?? 0) >= bytes) return true;
        await delay(100);
      }
      return false;
    },
    logLine: async (word: string): Promise<string> => {
      for (let tries = 0; tries < 50; tries += 1) {
        const line = (await readFile(log, 'utf8')).split('\n').find((each) => each.includes(word));
        if (line !== undefined) return line;
        await delay(100);
      }
      return 'no such line';
    },
  };
}

/** Any address of the loopback network: the lab's own are the proxy's and the internet's. */
const clientAddress = '10.77.0.1';

async function startServer(directory: string, log: string): Promise<Daemon> {
  const config = join(directory, 'config.json');
  const content = {
    version: 0.1,
    http: { addr: cacheAuthority, trustedproxies: ['10.77.0.9', '127.0.0.1'] },
    storage: { filesystem: { rootdirectory: join(directory, 'storage') } },
  };
  await writeFile(config, JSON.stringify(content));
  return Daemon.start({
    name: 'the server under test',
    argv: [process.execPath, 'src/main.ts', 'serve', config],
    logPath: log,
    ready: () => listens({ host: cacheHost, port: cachePort }),
  });
}

async function missing({ program }: Front): Promise<string | undefined> {
  return run(['sh', '-c', `command -v ${program}`]).then(
    () => undefined,
    () => `${program} could not be installed here`,
  );
}
