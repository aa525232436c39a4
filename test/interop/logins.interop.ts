import assert from 'node:assert/strict';
import { copyFile, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { labEnvironment } from './lab/environment.ts';
import type { LabEnvironment } from './lab/environment.ts';
import { Lab } from './lab/lab.ts';
import { Machine } from './lab/machine.ts';
import { run } from './lab/process.ts';
import { cacheAuthority } from './lab/server.ts';
import { crane, ctr, docker, oras, podman, skopeo } from './logins/clients.ts';
import type { LoginClient, OpenClient } from './logins/clients.ts';
import { certificateServer, closedServer, openServer, password, tokenServer, user } from './logins/servers.ts';
import type { LoginServer } from './logins/servers.ts';

const clients: readonly LoginClient[] = [
  docker('bookworm', 'graph'),
  docker('sid', 'graph'),
  docker('sid', 'containerd'),
  podman('bookworm'),
  podman('sid'),
  skopeo('bookworm'),
  skopeo('sid'),
  crane('sid'),
  oras('sid'),
  ctr('bookworm'),
  ctr('sid'),
];

/** Those that can be given a certificate of their own. */
const withCertificates = [docker('sid', 'graph'), docker('sid', 'containerd'), podman('sid'), skopeo('sid')];

const environment = labEnvironment();
const seed = `${cacheAuthority}/${user}/seed:1`;
/** Where the user may not push, if there is such a place. */
const elsewhere = `${cacheAuthority}/local/app:1`;
/** How clients put it that they may not. */
const refusal =
  /unauthorized|authorization failed|denied|may not push|authentication required|no basic auth|basic credential not found|incorrect username|invalid username|\b40[13]\b/i;

describe('logins', { skip: environment === undefined ? 'not in the lab: run `npm run interop`' : false }, () => {
  const resources = new AsyncDisposableStack();
  before(async () => {
    if (environment === undefined) return;
    resources.use(await Lab.open());
    await makeArchive(environment);
  });
  after(() => resources.disposeAsync());
  if (environment === undefined) return;
  for (const server of [closedServer, openServer, tokenServer]) {
    atServer(environment, server, clients, (client, at) => logsIn(server, client, at));
  }
  atServer(environment, certificateServer, withCertificates, (_client, at) => isKnown(at));
});

/** What a test needs of the client of the moment. */
interface Scene {
  readonly name: string;
  readonly client: () => OpenClient;
  /** What the server has logged so far. */
  readonly log: () => Promise<string>;
}

/** The access log: a manifest of the image of Docker Hub that all clients pull. */
const served = /"GET [^ ]*tiny\/manifests\/[^ ]* HTTP\/1\.1" 200 /;

function logsIn(server: LoginServer, { verifies }: LoginClient, { name, client, log }: Scene): void {
  test('a wrong password gets nobody in', async () => {
    const login = client().login(user, 'wrong');
    if (verifies) await assert.rejects(login, refusal);
    else await login;
    await assert.rejects(client().push(name), refusal);
    if (!verifies) await client().logout();
  });

  test('who has logged in pushes and pulls, until the logout', async () => {
    await client().login(user, password);
    await client().push(name);
    await client().pull(name);
    if (server.isRuled) await assert.rejects(client().push(elsewhere), refusal);
    await client().logout();
    // Another tag: some write nothing where the same is there already.
    await assert.rejects(client().push(`${name}-later`), refusal);
  });

  test(`who has not logged in ${server.isOpen ? 'pulls all the same' : 'pulls nothing'}`, async () => {
    const pulled = client().pull(name);
    if (server.isOpen) await pulled;
    else await assert.rejects(pulled, refusal);
  });

  if (!server.isOpen) return;
  test('a mirror asks nobody for a login, and who would go to Docker Hub if it did is served by the mirror (nora#578)', async () => {
    const earlier = (await log()).length;
    await client().pull(client().hubImage);
    const isServed = async (): Promise<boolean> => served.test((await log()).slice(earlier));
    for (let tries = 0; tries < 100 && !(await isServed()); tries += 1) await delay(50);
    assert.ok(await isServed(), (await log()).slice(earlier));
  });
}

function isKnown({ name, client }: Scene): void {
  test('who shows a certificate pushes and pulls as whom it names', async () => {
    await client().push(name);
    await client().pull(name);
    await assert.rejects(client().push(elsewhere), refusal);
  });
}

function atServer(
  at: LabEnvironment,
  server: LoginServer,
  of: readonly LoginClient[],
  tests: (client: LoginClient, scene: Scene) => void,
): void {
  describe(server.name, { skip: server.lacks(at) ?? false }, () => {
    const resources = new AsyncDisposableStack();
    before(async () => {
      const directory = join(at.work, `logins-${server.id}`);
      await mkdir(directory, { recursive: true });
      resources.use(await server.open(at, directory));
    });
    after(() => resources.disposeAsync());
    for (const [position, kind] of of.entries()) {
      const machine = new Machine(at, kind.suite);
      describe(kind.name, { skip: machine.lacks(kind.programs) ?? false }, () => {
        // Short: dockerd makes sockets in there.
        const place = `l-${server.id}-${position}`;
        let open: OpenClient | undefined;
        before(async () => {
          open = await opened(at, kind, place, server === certificateServer);
        });
        after(() => open?.[Symbol.asyncDispose]());
        const client = (): OpenClient => {
          assert.ok(open);
          return open;
        };
        const log = (): Promise<string> => readFile(join(at.work, `logins-${server.id}`, 'server.log'), 'utf8');
        tests(kind, { name: `${cacheAuthority}/${user}/app${position}:1`, client, log });
      });
    }
  });
}

async function opened(
  at: LabEnvironment,
  kind: LoginClient,
  place: string,
  hasCertificate: boolean,
): Promise<OpenClient> {
  const directory = join(at.work, place);
  const etc = await etcIn(at, directory);
  if (hasCertificate) await giveCertificate(at, directory, etc);
  const machine = new Machine(at, kind.suite, etc);
  return kind.open({ machine, directory, archive: archiveOf(at), seed });
}

/** A client's machine trusts the lab's authority, and nobody else's. */
async function etcIn(at: LabEnvironment, directory: string): Promise<string> {
  const etc = join(directory, 'etc');
  await mkdir(join(etc, 'ssl/certs'), { recursive: true });
  await mkdir(join(etc, 'containers'), { recursive: true });
  await copyFile(join(at.work, 'pki/ca.pem'), join(etc, 'ssl/certs/ca-certificates.crt'));
  const storage = `[storage]\ndriver = "overlay"\nrunroot = "${directory}/run"\ngraphroot = "${directory}/root"\n`;
  await writeFile(join(etc, 'containers/storage.conf'), storage);
  return etc;
}

/** Where docker, and podman and its like, look for one. */
async function giveCertificate({ work }: LabEnvironment, directory: string, etc: string): Promise<void> {
  const pki = join(work, 'pki');
  const [key, request, certificate] = ['client.key', 'client.csr', 'client.cert'].map((file) => join(directory, file));
  const made = `openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=${user} -keyout ${key} -out ${request} &&
    printf 'extendedKeyUsage=clientAuth\\n' | openssl x509 -req -in ${request} -CA ${pki}/ca.pem -CAkey ${pki}/ca.key -CAcreateserial \
      -days 30 -out ${certificate} -extfile /dev/stdin`;
  await run(['sh', '-c', made]);
  for (const folder of ['docker', 'containers']) {
    const place = join(etc, folder, 'certs.d', cacheAuthority);
    await mkdir(place, { recursive: true });
    await copyFile(join(pki, 'ca.pem'), join(place, 'ca.crt'));
    await cp(key ?? '', join(place, 'client.key'));
    await cp(certificate ?? '', join(place, 'client.cert'));
  }
}

function archiveOf({ work }: LabEnvironment): string {
  return join(work, 'seed.tar');
}

async function makeArchive(at: LabEnvironment): Promise<void> {
  const directory = join(at.work, 'seed');
  const machine = new Machine(at, 'sid', await etcIn(at, directory));
  const layer = join(directory, 'layer.tar');
  await machine.run(['tar', '-cf', layer, '/usr/bin/tar', '/etc/debian_version']);
  await machine.run(['podman', 'import', '--quiet', layer, seed]);
  await machine.run(['podman', 'save', '--quiet', '--output', archiveOf(at), seed]);
}
