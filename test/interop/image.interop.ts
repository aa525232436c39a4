import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startDockerd } from './clients/dockerd.ts';
import { buildImage, imageTag } from './image/built-image.ts';
import { becomes, Container } from './image/container.ts';
import { labEnvironment } from './lab/environment.ts';
import { Lab } from './lab/lab.ts';
import { Machine } from './lab/machine.ts';
import { listens } from './lab/ready.ts';
import { cacheAuthority, cacheHost } from './lab/server.ts';

/** The image in the places where people run registry:2 today, with only its name changed. */
const environment = labEnvironment();
const machine = environment && new Machine(environment, 'sid');
const obstacle =
  machine === undefined ? 'not in the lab: run `npm run interop`' : machine.lacks(['dockerd', 'docker', 'crane']);

describe('the image', { skip: obstacle ?? false }, () => {
  const resources = new AsyncDisposableStack();
  let at: Awaited<ReturnType<typeof setUp>>;

  before(async () => {
    at = await setUp(resources);
  });
  after(() => resources.disposeAsync());

  test('is small', async (t) => {
    const bytes = Number(await at.docker('image', 'inspect', '--format', '{{.Size}}', imageTag));
    const baseBytes = Number(await at.docker('image', 'inspect', '--format', '{{.Size}}', 'base:lab'));
    t.diagnostic(`${Math.round(bytes / 1e6)} MB, of which the base is ${Math.round(baseBytes / 1e6)} MB`);
    assert.ok(bytes - baseBytes < 8e6, 'the program adds a few megabytes to Node');
  });

  for (const path of ['/etc/docker/registry/config.yml', '/etc/distribution/config.yml']) {
    test(`shows the default configuration at ${path}`, async () => {
      const text = await at.docker('run', '--rm', '--network=host', imageTag, 'cat', path);
      assert.match(text, /^version: 0\.1\n/);
      assert.match(text, /rootdirectory: \/var\/lib\/registry\n/);
    });
  }

  test('has the command line under both names', async () => {
    const versions = await Promise.all(
      [['version'], ['entrepot', 'version'], ['registry', '--version']].map((words) =>
        at.docker('run', '--rm', '--network=host', imageTag, ...words),
      ),
    );
    assert.equal(new Set(versions.map((text) => /\d+\.\d+\.\d+/.exec(text)?.[0])).size, 1, versions.join());
  });

  test('is a registry over a volume, and finds again what was pushed', async () => {
    const volume = await at.volume('plain');
    const options = ['--volume', `${volume}:/var/lib/registry`];
    {
      await using container = await at.start(options);
      await at.push('app:1');
      await container.healthy();
    }
    assert.ok((await readdir(join(volume, 'docker/registry/v2'))).includes('blobs'));
    await using _ = await at.start(options);
    await at.pulls('app:1');
  });

  test('runs as another user than root', async () => {
    const volume = await at.volume('rootless', 1000);
    await using container = await at.start(['--user=1000:1000', '--volume', `${volume}:/var/lib/registry`]);
    await at.push('app:1');
    await at.pulls('app:1');
    await container.healthy();
  });

  test('is a pull-through cache with a file in the volume, given as its argument', async () => {
    await using _lab = await Lab.open();
    const volume = await at.volume('proxy');
    const config = {
      version: '0.1',
      storage: { filesystem: { rootdirectory: '/var/lib/registry' } },
      http: { addr: ':5000' },
      proxy: { remoteurl: 'https://registry-1.docker.io' },
    };
    await writeFile(join(volume, 'config.yml'), JSON.stringify(config));
    const trust = ['--volume', `${at.ca}:/ca.pem:ro`, '--env', 'NODE_EXTRA_CA_CERTS=/ca.pem'];
    const names = ['--volume', `${at.hosts}:/etc/hosts:ro`];
    // The lab's internet is on this very machine, which an upstream never is.
    const here = ['--env', `ENTREPOT_UPSTREAMS=${JSON.stringify({ 'docker.io': { dial: ['10.77.0.0/24'] } })}`];
    const options = ['--volume', `${volume}:/var/lib/registry`, ...trust, ...names, ...here];
    await using _ = await at.start(options, ['serve', '/var/lib/registry/config.yml']);
    await at.pulls('library/tiny:latest');
    await assert.rejects(at.push('app:1'), /unsupported|UNSUPPORTED|405/i);
  });

  test('takes its TLS files and its address from REGISTRY_* variables', async () => {
    const options = ['--volume', `${at.pki}:/certs:ro`];
    for (const [name, value] of Object.entries({
      REGISTRY_HTTP_ADDR: '0.0.0.0:443',
      REGISTRY_HTTP_TLS_CERTIFICATE: '/certs/cache.pem',
      REGISTRY_HTTP_TLS_KEY: '/certs/cache.key',
    })) {
      options.push('--env', `${name}=${value}`);
    }
    await using container = await at.start(options, [], 443);
    await at.push('app:1', { secure: true });
    await at.pulls('app:1', { secure: true });
    await container.healthy();
  });

  test('is a service of a swarm, with its TLS files from secrets and a constraint', async (t) => {
    const initiated = await at.docker('swarm', 'init', '--advertise-addr', '10.77.0.9').then(
      () => undefined,
      (error: unknown) => String(error).split('\n').at(-1),
    );
    if (initiated !== undefined) return t.skip(`no swarm to be had here: ${initiated}`);
    for (const [name, file] of [
      ['registry.crt', 'cache.pem'],
      ['registry.key', 'cache.key'],
    ] as const) {
      await at.docker('secret', 'create', name, join(at.pki, file));
    }
    await using service = await at.serve({
      REGISTRY_HTTP_ADDR: '0.0.0.0:443',
      REGISTRY_HTTP_TLS_CERTIFICATE: '/run/secrets/registry.crt',
      REGISTRY_HTTP_TLS_KEY: '/run/secrets/registry.key',
    });
    await service.listening();
    await at.push('app:1', { secure: true });
    await at.pulls('app:1', { secure: true });
  });

  test('caches every registry with its other file', async () => {
    await using _lab = await Lab.open();
    const upstream = { 'docker.io': { url: 'https://registry-1.docker.io', ca: '/ca.pem', dial: ['10.77.0.0/24'] } };
    const options = ['--volume', `${at.ca}:/ca.pem:ro`, '--volume', `${at.hosts}:/etc/hosts:ro`];
    options.push('--env', `ENTREPOT_UPSTREAMS=${JSON.stringify(upstream)}`);
    await using _ = await at.start(options, ['/etc/entrepot/config.yml']);
    await at.pulls('docker.io/library/tiny:latest');
    await at.push('local/app:1');
    await at.pulls('local/app:1');
  });

  test('has the port of docker-registry-proxy where that has stood, and its content in its own volume', async () => {
    const volume = await at.volume('interception');
    const variables = ['REGISTRIES=quay.io', 'ENABLE_MANIFEST_CACHE=true', 'CACHE_MAX_SIZE=32g'];
    const options = ['--volume', `${volume}:/var/lib/registry`, ...variables.flatMap((each) => ['--env', each])];
    await using container = await at.start(options, [], 3128);
    await container.healthy();
    assert.notDeepEqual(await readdir(volume), []);
  });
});

async function setUp(resources: AsyncDisposableStack) {
  if (machine === undefined || environment === undefined) throw new Error('this runs inside the lab only');
  const directory = await machine.directory('image');
  await mkdir(join(directory, 'daemon'), { recursive: true });
  const { daemon, docker } = await startDockerd(machine, join(directory, 'daemon'), 'graph');
  resources.use(daemon);
  await buildImage(machine, docker, directory);
  const run = Object.assign((...words: readonly string[]): Promise<string> => machine.run([...docker, ...words]), {
    withErrors: (...words: readonly string[]): Promise<string> =>
      machine.run(['sh', '-c', 'exec "$@" 2>&1', 'sh', ...docker, ...words]),
  });
  const crane = (words: readonly string[], secure = false): Promise<string> =>
    machine.run(['crane', ...(secure ? [] : ['--insecure']), ...words], { env: { SSL_CERT_FILE: ca } });
  const pki = join(environment.work, 'pki');
  const ca = join(pki, 'ca.pem');
  const nameOf = (image: string, secure: boolean): string =>
    secure ? `${cacheHost}/${image}` : `${cacheAuthority}/${image}`;
  const layer = join(directory, 'layer.tar');
  await machine.run(['tar', '-cf', layer, '/etc/debian_version']);
  return {
    ca,
    pki,
    hosts: join(environment.work, 'hosts.server'),
    docker: run,
    start: (options: readonly string[], words: readonly string[] = [], port = 5000) =>
      Container.start(run, [...options, imageTag, ...words], port),
    /** With both secrets, on this machine alone; `docker service rm` is its end. */
    serve: async (variables: Readonly<Record<string, string>>) => {
      const hostname = (await run('node', 'inspect', 'self', '--format', '{{.Description.Hostname}}')).trim();
      const options = ['--detach', '--name=registry', '--network=host', `--constraint=node.hostname==${hostname}`];
      options.push('--secret=registry.crt', '--secret=registry.key', '--no-resolve-image');
      for (const [name, value] of Object.entries(variables)) options.push('--env', `${name}=${value}`);
      await run('service', 'create', ...options, imageTag);
      return {
        listening: async (): Promise<void> => {
          if (await becomes(() => listens({ host: cacheHost, port: 443 }), 60_000)) return;
          throw new Error(await run('service', 'ps', '--no-trunc', 'registry'));
        },
        [Symbol.asyncDispose]: async (): Promise<void> => {
          await run('service', 'rm', 'registry');
          await run('swarm', 'leave', '--force');
          await becomes(async () => !(await listens({ host: cacheHost, port: 443 })), 60_000);
        },
      };
    },
    push: async (image: string, { secure = false } = {}): Promise<void> => {
      await crane(['append', '--new_layer', layer, '--new_tag', nameOf(image, secure)], secure);
    },
    pulls: async (image: string, { secure = false } = {}): Promise<void> => {
      await crane(['pull', nameOf(image, secure), join(directory, 'pulled.tar')], secure);
    },
    volume: async (name: string, owner = 0): Promise<string> => {
      const path = join(directory, 'volumes', name);
      await mkdir(path, { recursive: true });
      await machine.run(['chown', String(owner), path]);
      return path;
    },
  };
}
