import assert from 'node:assert/strict';
import { chmod, lstat, mkdir, readdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { TempDir } from '../../../test/support/temp-dir.ts';
import { runtimes } from '../runtimes.ts';
import type { RuntimeName } from '../runtimes.ts';
import type { ClientTarget } from '../target.ts';
import { everyRegistry } from '../testing.ts';
import { apply } from './apply.ts';
import type { Applied } from './apply.ts';
import { RootedFiles } from './files.ts';
import { undo } from './undo.ts';

const ownTls: ClientTarget = { ...everyRegistry, url: 'https://cache.example', authority: { pem: 'PEM\n' } };

/** What people have on their machines, by runtime. */
const before: Readonly<Partial<Record<RuntimeName, Readonly<Record<string, string>>>>> = {
  'docker-mirror': { '/etc/docker/daemon.json': '{"debug":true,"registry-mirrors":["https://other.example"]}' },
  containerd: {
    '/etc/containerd/config.toml':
      '# mine\nversion = 2\n\n[plugins."io.containerd.grpc.v1.cri"]\n  sandbox_image = "p"\n',
    '/etc/containerd/certs.d/_default/hosts.toml': 'server = "https://a.example"\n[host."https://b.example"]\n',
    '/etc/containerd/certs.d/quay.io/hosts.toml': '[host."https://c.example"]\n  capabilities = ["pull"]\n',
  },
  podman: {
    '/etc/containers/registries.conf': 'unqualified-search-registries = ["docker.io"]\n',
    '/etc/containers/registries.conf.d/10-mine.conf': '[[registry]]\nlocation = "quay.io"\nblocked = false\n',
  },
  buildkit: { '/etc/buildkit/buildkitd.toml': 'debug = true\n[registry."docker.io"]\n  mirrors = ["m.example"]\n' },
  k3s: { '/etc/rancher/k3s/registries.yaml': 'configs:\n  "r.example":\n    auth: { username: u, password: p }\n' },
};

class Machine implements AsyncDisposable {
  readonly #dir: TempDir;
  readonly files: RootedFiles;

  private constructor(dir: TempDir) {
    this.#dir = dir;
    this.files = new RootedFiles(dir.path);
  }

  static async with(files: Readonly<Record<string, string>>): Promise<Machine> {
    const machine = new Machine(await TempDir.make());
    for (const [path, text] of Object.entries(files)) await machine.write(path, text);
    return machine;
  }

  async write(path: string, text: string): Promise<void> {
    await mkdir(dirname(this.at(path)), { recursive: true });
    await writeFile(this.at(path), text);
  }

  at(path: string): string {
    return join(this.#dir.path, path);
  }

  async read(path: string): Promise<string> {
    return await readFile(this.at(path), 'utf8');
  }

  async apply(name: RuntimeName, target: ClientTarget): Promise<Applied> {
    const { plan } = runtimes[name];
    assert.ok(plan);
    return await apply(name, (files) => plan(target, files), this.files);
  }

  /** Everything that can be told of the tree, times of directories excepted. */
  async state(): Promise<unknown> {
    const paths = (await readdir(this.#dir.path, { recursive: true })).toSorted();
    return await Promise.all(
      paths.map(async (path) => {
        const { mode, mtimeMs, uid, gid } = await lstat(join(this.#dir.path, path));
        const isFile = (mode & 0o170000) === 0o100000;
        const more = isFile ? [Math.floor(mtimeMs), await readFile(join(this.#dir.path, path), 'hex')] : [];
        return [path, mode, uid, gid, ...more];
      }),
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#dir[Symbol.asyncDispose]();
  }
}

const writable = (Object.keys(runtimes) as RuntimeName[]).filter((name) => runtimes[name].plan !== undefined);

describe('a machine', () => {
  for (const name of writable) {
    for (const [kind, files] of [
      ['bare', {}],
      ['used', before[name] ?? {}],
    ] as const) {
      test(`that is ${kind} is for ${name} as it was, byte by byte, after apply, apply with TLS, and undo`, async () => {
        await using machine = await Machine.with(files);
        const start = await machine.state();
        assert.notDeepEqual((await machine.apply(name, everyRegistry)).written, []);
        const applied = await machine.state();
        assert.notDeepEqual(applied, start);
        assert.deepEqual((await machine.apply(name, everyRegistry)).written, []);
        assert.deepEqual(await machine.state(), applied, 'a second time changes nothing');
        assert.notDeepEqual((await machine.apply(name, ownTls)).written, []);
        await undo(name, machine.files);
        assert.deepEqual(await machine.state(), start);
      });
    }
  }

  test('keeps what it had', async () => {
    await using machine = await Machine.with(before['docker-mirror'] ?? {});
    await machine.apply('docker-mirror', everyRegistry);
    assert.deepEqual(JSON.parse(await machine.read('/etc/docker/daemon.json')), {
      debug: true,
      'registry-mirrors': ['http://cache.example:5000', 'https://other.example'],
      'insecure-registries': ['http://cache.example:5000'],
    });
  });

  test('that was given another address has nothing left of the first', async () => {
    await using machine = await Machine.with(before['docker-mirror'] ?? {});
    await machine.apply('docker-mirror', everyRegistry);
    await machine.apply('docker-mirror', { ...everyRegistry, url: 'http://new.example:5000' });
    assert.doesNotMatch(await machine.read('/etc/docker/daemon.json'), /cache\.example/);
    assert.match(await machine.read('/etc/docker/daemon.json'), /new\.example.*other\.example/s);
  });

  test('is not undone when somebody has changed a file since, and is told where the old one is', async () => {
    await using machine = await Machine.with(before['docker-mirror'] ?? {});
    await machine.apply('docker-mirror', everyRegistry);
    await machine.write('/etc/docker/daemon.json', '{"mine": 1}');
    await assert.rejects(
      undo('docker-mirror', machine.files),
      /\/etc\/docker\/daemon\.json has been changed since: undoing would lose that\. .*as it was before is in \/var\/lib\/entrepot-client\/docker-mirror\/1/,
    );
    await assert.rejects(
      machine.apply('docker-mirror', ownTls),
      /daemon\.json has been changed since this command wrote it; take our lines out of it/,
    );
    assert.equal(await machine.read('/etc/docker/daemon.json'), '{"mine": 1}');
  });

  test('that somebody has added to, and that needs nothing, is left alone', async () => {
    await using machine = await Machine.with({});
    await machine.apply('docker-mirror', everyRegistry);
    const settings = JSON.parse(await machine.read('/etc/docker/daemon.json')) as object;
    await machine.write('/etc/docker/daemon.json', JSON.stringify({ ...settings, debug: true }));
    assert.deepEqual((await machine.apply('docker-mirror', everyRegistry)).written, []);
  });

  test('that nothing was applied to has nothing to undo', async () => {
    await using machine = await Machine.with({});
    await assert.rejects(undo('podman', machine.files), /nothing has been applied for podman on this machine/);
  });

  test('is undone also when it went down between two files', async () => {
    await using machine = await Machine.with(before.containerd ?? {});
    const start = await machine.state();
    const config = await machine.read('/etc/containerd/config.toml');
    await machine.apply('containerd', everyRegistry);
    await machine.write('/etc/containerd/config.toml', config);
    await undo('containerd', machine.files);
    assert.deepEqual(
      (await machine.state()) !== undefined && (await machine.read('/etc/containerd/config.toml')),
      config,
    );
    assert.equal((start as unknown[]).length, ((await machine.state()) as unknown[]).length);
  });

  test('has the rights and the times of a file given back, and kept by the new one', async () => {
    await using machine = await Machine.with(before['docker-mirror'] ?? {});
    const path = machine.at('/etc/docker/daemon.json');
    await chmod(path, 0o600);
    await utimes(path, 1_000_000, 1_000_000);
    const start = await machine.state();
    await machine.apply('docker-mirror', everyRegistry);
    assert.equal((await lstat(path)).mode & 0o777, 0o600);
    await undo('docker-mirror', machine.files);
    assert.deepEqual(await machine.state(), start);
  });

  test('has a file changed behind its link, and never outside of its root', async () => {
    await using machine = await Machine.with({ '/usr/daemon.json': '{}', '/etc/docker/key': '' });
    await symlink('../../usr/daemon.json', machine.at('/etc/docker/daemon.json'));
    const start = await machine.state();
    await machine.apply('docker-mirror', everyRegistry);
    assert.match(await machine.read('/usr/daemon.json'), /registry-mirrors/);
    await undo('docker-mirror', machine.files);
    assert.deepEqual(await machine.state(), start);
    await using outside = await Machine.with({ '/daemon.json': '{}', '/etc/docker/key': '' });
    await symlink(machine.at('/usr/daemon.json'), outside.at('/etc/docker/daemon.json'));
    await assert.rejects(outside.apply('docker-mirror', everyRegistry), /is a link that leads nowhere below/);
  });
});

describe('containerd', () => {
  test('is asked with ?ns= for every registry, also for those with a file of their own', async () => {
    await using machine = await Machine.with(before.containerd ?? {});
    await machine.apply('containerd', everyRegistry);
    const host = '[host."http://cache.example:5000"]\n  capabilities = ["pull", "resolve"]\n';
    assert.equal(
      await machine.read('/etc/containerd/certs.d/_default/hosts.toml'),
      `server = "https://a.example"\n\n${host}\n[host."https://b.example"]\n`,
    );
    assert.equal(
      await machine.read('/etc/containerd/certs.d/quay.io/hosts.toml'),
      `${host}\n[host."https://c.example"]\n  capabilities = ["pull"]\n`,
    );
    assert.match(await machine.read('/etc/containerd/config.toml'), /^# mine\nversion = 2\n[^]*config_path = "/);
  });

  test('has its files where its config_path says', async () => {
    const config = 'version = 3\n[plugins."io.containerd.cri.v1.images".registry]\nconfig_path = "/opt/certs:/etc/x"\n';
    await using machine = await Machine.with({ '/etc/containerd/config.toml': config });
    assert.deepEqual((await machine.apply('containerd', everyRegistry)).written, ['/opt/certs/_default/hosts.toml']);
  });

  test("of Docker's package has no CRI to configure", async () => {
    await using machine = await Machine.with({ '/etc/containerd/config.toml': 'disabled_plugins = ["cri"]\n' });
    const { written, notes } = await machine.apply('containerd', everyRegistry);
    assert.deepEqual(written, ['/etc/containerd/certs.d/_default/hosts.toml']);
    assert.match(notes.join(), /CRI plugin is switched off/);
  });

  test('with the older tables is refused before anything is written', async () => {
    const config =
      'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]\nendpoint = ["https://a"]\n';
    await using machine = await Machine.with({ '/etc/containerd/config.toml': config });
    const start = await machine.state();
    await assert.rejects(
      machine.apply('containerd', everyRegistry),
      /has registry\.mirrors, which containerd allows only/,
    );
    assert.deepEqual(await machine.state(), start);
  });

  test('that has us in another way already is not touched', async () => {
    const path = '/etc/containerd/certs.d/_default/hosts.toml';
    await using machine = await Machine.with({ [path]: '[host."http://cache.example:5000"]\nskip_verify = true\n' });
    await assert.rejects(
      machine.apply('containerd', everyRegistry),
      /and says something else there; remove that table first/,
    );
  });
});

describe('podman', () => {
  const ours = '/etc/containers/registries.conf.d/50-entrepot.conf';

  test('keeps what another file says of a registry, with the cache as its first mirror', async () => {
    const theirs =
      '[[registry]]\nprefix = "quay.io"\nlocation = "quay.example"\n[[registry.mirror]]\nlocation = "m.example"\n';
    await using machine = await Machine.with({ '/etc/containers/registries.conf': theirs });
    await machine.apply('podman', everyRegistry);
    assert.match(
      await machine.read(ours),
      /location = "quay\.example"\nprefix = "quay\.io"\n\n\[\[registry\.mirror\]\]\nlocation = "cache\.example:5000\/quay\.io"\ninsecure = true\n\n\[\[registry\.mirror\]\]\nlocation = "m\.example"/,
    );
  });

  test('says so when a file that comes later has the last word', async () => {
    const later = { '/etc/containers/registries.conf.d/90-mine.conf': '[[registry]]\nlocation = "quay.io"\n' };
    await using machine = await Machine.with(later);
    const { notes } = await machine.apply('podman', everyRegistry);
    assert.match(notes.join('\n'), /90-mine\.conf comes after .* and has its own word on quay\.io: put this there:\n/);
    assert.doesNotMatch(await machine.read(ours), /location = "quay\.io"/);
  });

  test('of the first format is refused', async () => {
    const first = { '/etc/containers/registries.conf': '[registries.search]\nregistries = ["docker.io"]\n' };
    await using machine = await Machine.with(first);
    await assert.rejects(machine.apply('podman', everyRegistry), /of the format's first version/);
  });
});
