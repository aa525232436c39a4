import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { throughName } from './clients/images.ts';
import type { LoggedRequest } from './internet/log.ts';
import { labEnvironment } from './lab/environment.ts';
import type { LabEnvironment } from './lab/environment.ts';
import { Lab } from './lab/lab.ts';
import type { ImageName } from './lab/lab.ts';
import { Machine } from './lab/machine.ts';
import { Daemon } from './lab/process.ts';
import { listens } from './lab/ready.ts';
import { cacheAuthority, cacheHost, cachePort } from './lab/server.ts';
import { assertFetchedOnce, assertNoneSucceeded, assertNothingFetched } from './traffic.ts';

/** The other tests judge by three assertions; here docker-registry's own cache shows that each of them can fail. */
const environment = labEnvironment();
const image: ImageName = { registry: 'docker.io', repository: 'library/big', tag: 'latest' };

describe('the lab', { skip: environment === undefined ? 'not in the lab: run `npm run interop`' : false }, () => {
  const resources = new AsyncDisposableStack();
  let lab: Lab;
  let cold: readonly LoggedRequest[];

  before(async () => {
    lab = resources.use(await Lab.open());
    resources.use(await startDockerRegistry(lab.environment));
    await pull(lab.environment);
    await lab.internet.log.idle(10_000);
    cold = lab.internet.log.since(0);
  });
  after(() => resources.disposeAsync());

  test('notices a cache that fetches a blob twice and gets a token for every request', () => {
    const complaint = thrownBy(() => assertFetchedOnce(cold, lab.facts(image)));
    assert.match(complaint, /fetched \d+ bytes of sha256:\w+, which has \d+/);
    assert.match(complaint, /one token request a scope: \d+ of auth.docker.io/);
  });

  test('notices content that comes from the upstream', () => {
    assert.match(
      thrownBy(() => assertNothingFetched(cold)),
      /fetched although it is held/,
    );
  });

  test('notices an upstream that is not gone', () => {
    assert.match(
      thrownBy(() => assertNoneSucceeded(cold)),
      /succeeded although the upstream is gone/,
    );
  });
});

async function startDockerRegistry({ work }: LabEnvironment): Promise<Daemon> {
  const directory = join(work, 'control');
  await mkdir(directory, { recursive: true });
  const config = join(directory, 'config.yml');
  const settings = {
    version: '0.1',
    storage: { filesystem: { rootdirectory: join(directory, 'storage') } },
    http: { addr: cacheAuthority },
    proxy: { remoteurl: 'https://registry-1.docker.io' },
  };
  await writeFile(config, JSON.stringify(settings));
  return Daemon.start({
    name: 'docker-registry as a cache',
    argv: ['docker-registry', 'serve', config],
    env: { SSL_CERT_FILE: join(work, 'pki/ca.pem') },
    logPath: join(directory, 'log'),
    ready: () => listens({ host: cacheHost, port: cachePort }),
  });
}

async function pull(lab: LabEnvironment): Promise<void> {
  const machine = new Machine(lab, 'bookworm');
  const target = await machine.directory('control/image');
  await machine.run([
    'skopeo',
    'copy',
    '--quiet',
    '--src-tls-verify=false',
    `docker://${throughName(image)}`,
    `dir:${target}`,
  ]);
}

function thrownBy(act: () => void): string {
  try {
    act();
  } catch (error) {
    return String(error);
  }
  return 'nothing was thrown';
}
