/**
 * The files of `deploy/` that no test of clients starts: they fit together, and what they set is what this server reads.
 */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import manifest from '../../package.json' with { type: 'json' };
import { proxysOwn } from '../../src/config/env/proxy/settings.ts';
import { loadConfig } from '../../src/config/load.ts';
import { loadText } from '../../src/config/testing.ts';
import { TempDir } from '../support/temp-dir.ts';
import { readText } from './markdown.ts';
import { repositoryRoot } from './modules.ts';

interface Service {
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly ports?: readonly unknown[];
  readonly volumes?: readonly string[];
  readonly deploy?: { readonly replicas: number; readonly placement: { readonly constraints: readonly string[] } };
}

interface Stack {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes?: Readonly<Record<string, unknown>>;
  readonly secrets?: Readonly<Record<string, { readonly external: boolean }>>;
}

function serviceOf(file: string, name: string): { readonly stack: Stack; readonly service: Service } {
  const stack = parse(readText(file)) as Stack;
  assert.deepEqual(Object.keys(stack.services), [name], file);
  return { stack, service: stack.services[name] ?? {} };
}

const ours = readText('deploy/image/entrepot.yml');
const registrys = readText('deploy/image/registry.yml');
const unitPath = 'deploy/systemd/entrepot.service';
const unit = readText(unitPath);
const dockerfile = readText('Dockerfile');
const registryPath = '/etc/docker/registry/config.yml';

/** What the entry point of the image runs, where the image's files lie in this directory. */
async function entered(
  { path }: TempDir,
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  mounted = registrys,
): Promise<string> {
  for (const folder of ['bin', 'etc/docker/registry', 'etc/distribution'])
    await mkdir(`${path}/${folder}`, { recursive: true });
  await writeFile(`${path}${registryPath}`, mounted);
  await writeFile(`${path}/etc/distribution/config.yml`, registrys);
  await writeFile(`${path}/bin/entrepot`, '#!/bin/sh\necho entrepot "$@"\n');
  await chmod(`${path}/bin/entrepot`, 0o755);
  const script = readText('deploy/image/entrypoint.sh').replaceAll('/etc/', `${path}/etc/`);
  const here = words.map((word) => word.replace(/^\/etc\//, `${path}/etc/`));
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', script, 'entrypoint.sh', ...here], {
    env: { PATH: `${path}/bin:${process.env['PATH']}`, ...env },
  });
  return stdout.trim().replaceAll(`${path}/etc/`, '/etc/');
}

describe('deploy/', () => {
  test('compose.yml serves the file that the image has where it says, on a volume that it declares', async () => {
    const { stack, service } = serviceOf('deploy/compose.yml', 'entrepot');
    assert.ok(dockerfile.includes(`COPY deploy/image/entrepot.yml ${service.command?.[0]}`));
    assert.deepEqual(service.volumes, ['entrepot:/var/lib/registry']);
    assert.ok(stack.volumes !== undefined && 'entrepot' in stack.volumes);
    const { config } = await loadText(ours);
    assert.deepEqual([service.ports, config.http.listen], [['5000:5000'], [{ host: undefined, port: 5000 }]]);
    assert.deepEqual(config.storage, { driver: 'filesystem', rootDirectory: '/var/lib/registry' });
  });

  test("the image's entry point serves registry's file, and any other that it is told of", async () => {
    await using dir = await TempDir.make();
    assert.ok(dockerfile.includes(`COPY deploy/image/registry.yml ${registryPath}`));
    assert.ok(dockerfile.includes(`CMD ["${registryPath}"]`));
    assert.equal(await entered(dir, [registryPath], { REGISTRIES: '' }), `entrepot serve ${registryPath}`);
    assert.equal(await entered(dir, ['explain', 'redis'], {}), 'entrepot explain redis');
    const told = '/etc/entrepot/config.yml';
    assert.equal(await entered(dir, [told], { REGISTRIES: 'quay.io' }), `entrepot serve ${told}`);
  });

  test("the image serves as docker-registry-proxy does once there is one of that one's variables", async () => {
    await using dir = await TempDir.make();
    assert.ok(dockerfile.includes('COPY deploy/image/proxy.yml /etc/entrepot/proxy.yml'));
    for (const name of proxysOwn)
      assert.equal(
        await entered(dir, [registryPath], { [name]: '1g' }),
        'entrepot serve /etc/entrepot/proxy.yml',
        name,
      );
    const { config } = await loadText(readText('deploy/image/proxy.yml'), { REGISTRIES: 'quay.io' });
    assert.equal(config.mode, 'entrepot');
    assert.deepEqual(config.http.listen, [{ host: undefined, port: 3128 }]);
    assert.deepEqual(config.storage, { driver: 'filesystem', rootDirectory: '/var/lib/registry' });
    assert.ok(dockerfile.includes('VOLUME ["/var/lib/registry"]'));
  });

  test("a file that somebody has put in the place of the image's counts more than docker-registry-proxy's variables", async () => {
    await using dir = await TempDir.make();
    const mounted = `${registrys}redis: {}\n`;
    const served = await entered(dir, [registryPath], { REGISTRIES: 'quay.io' }, mounted);
    assert.equal(served, `entrepot serve ${registryPath}`);
  });

  test('stack.yml serves TLS with the secrets that it declares, once, on a machine that is chosen', async () => {
    const { stack, service } = serviceOf('deploy/stack.yml', 'registry');
    await using run = await TempDir.make();
    for (const secret of service.secrets ?? []) await writeFile(run.join(secret), '');
    const here = Object.entries(service.environment ?? {}).map(([name, value]) => [
      name,
      value.replace('/run/secrets', run.path),
    ]);
    const { config, notices } = await loadText(registrys, Object.fromEntries(here));
    assert.equal(config.mode, 'registry');
    assert.deepEqual(config.http.listen, [{ host: '0.0.0.0', port: 443 }]);
    assert.ok(service.secrets?.length === 2 && service.ports?.length === 1);
    for (const secret of service.secrets) {
      assert.equal(stack.secrets?.[secret]?.external, true, secret);
      assert.ok(Object.values(service.environment ?? {}).includes(`/run/secrets/${secret}`), secret);
    }
    assert.ok(!notices.some((notice) => notice.includes('REGISTRY_')), notices.join('\n'));
    assert.equal(service.deploy?.replicas, 1);
    assert.equal(service.deploy?.placement.constraints.length, 1);
    assert.ok(registrys.includes('rootdirectory: /var/lib/registry'));
  });

  test('proxies/traefik.yml adds to the service of compose.yml the port that it serves, and whom to believe', async () => {
    const { service } = serviceOf('deploy/proxies/traefik.yml', 'entrepot');
    const { config } = await loadText(ours, service.environment);
    const [address] = config.http.listen;
    const port = service.labels?.['traefik.http.services.entrepot.loadbalancer.server.port'];
    assert.equal(port, String(address !== undefined && 'port' in address ? address.port : 0));
    assert.equal(config.http.trustedProxies.length, 1);
    assert.match(readText('deploy/proxies/traefik.yml'), /readtimeout=0/);
    const names = Object.keys(service.labels ?? {}).filter((label) => label !== 'traefik.enable');
    assert.ok(names.every((label) => /^traefik\.http\.(?:routers|services)\.entrepot\./.test(label)));
  });

  test('systemd/entrepot.service runs what is built, as the cache, in the directory that it may write to', async () => {
    const settings = [...unit.matchAll(/^(\w+)=(.*)$/gm)].map(([, key = '', value = '']) => ({ key, value }));
    const of = (wanted: string): string => settings.find(({ key }) => key === wanted)?.value ?? '';
    assert.equal(of('ExecStart'), `/usr/bin/env node ${manifest.bin.entrepot} serve`);
    const variables = settings.filter(({ key }) => key === 'Environment').map(({ value }) => value.split('='));
    const env = Object.fromEntries(variables) as Record<string, string>;
    const { config } = await loadConfig({ env, machine: { isRoot: false } });
    assert.equal(config.mode, 'entrepot');
    assert.deepEqual(config.storage, { driver: 'filesystem', rootDirectory: `/var/lib/${of('StateDirectory')}` });
    assert.ok(Number(of('TimeoutStopSec')) * 1_000 > config.http.drainMs);
    assert.notEqual(of('User'), 'root');
  });

  test('systemd/entrepot.service is a unit as systemd has them', { skip: asksSystemd() }, () => {
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', join(repositoryRoot, unitPath)], {
      encoding: 'utf8',
    });
    assert.deepEqual([status, stderr], [0, '']);
  });
});

function asksSystemd(): string | false {
  return spawnSync('systemd-analyze', ['--version']).status === 0 ? false : 'there is no systemd-analyze here';
}
