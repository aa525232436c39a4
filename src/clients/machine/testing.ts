import assert from 'node:assert/strict';
import { lstat, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TempDir } from '../../../test/support/temp-dir.ts';
import { runtimes } from '../runtimes.ts';
import type { RuntimeName } from '../runtimes.ts';
import type { ClientTarget } from '../target.ts';
import { everyRegistry } from '../testing.ts';
import { apply } from './apply.ts';
import type { Applied } from './apply.ts';
import { RootedFiles } from './files.ts';

export const ownTls: ClientTarget = { ...everyRegistry, url: 'https://cache.example', authority: { pem: 'PEM\n' } };

/** What people have on their machines, by runtime. */
export const before: Readonly<Partial<Record<RuntimeName, Readonly<Record<string, string>>>>> = {
  docker: { '/etc/docker/daemon.json': '{"debug":true,"insecure-registries":["other.example"]}' },
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

/** The file system of a client machine. */
export class Machine implements AsyncDisposable {
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
