/** A machine that has nothing of ours asks for `/setup.sh`: it does what `entrepot client` does, and either undoes the other. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { cli } from '../../src/cli/testing.ts';
import { systemClock } from '../../src/observe/clock.ts';
import { get } from '../support/client.ts';
import { Entrepot } from '../support/entrepot.ts';
import { TempDir } from '../support/temp-dir.ts';

const config = { http: { tls: { auto: true } }, intercept: {} };

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly errors: string;
}

async function sh(script: string, root: string, args: readonly string[]): Promise<Ran> {
  const child = spawn('sh', ['-s', '--', ...args], { env: { PATH: process.env['PATH'], ENTREPOT_ROOT: root } });
  child.stdin.end(script);
  const [[code], out, errors] = await Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]);
  return { code: code as number | null, out, errors };
}

function commandsIn(out: string): readonly string[] {
  return out.split('\n').filter((line) => line.startsWith('now run '));
}

/** A bare machine has neither; whoever is told to run this script got it with one of them. */
function asksByItself(): string | false {
  const has = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;
  return has('curl') ? false : 'there is no curl here: apt-get install curl';
}

describe('/setup.sh', () => {
  const resources = new AsyncDisposableStack();
  let entrepot: Entrepot;
  let script: string;

  before(async () => {
    entrepot = resources.use(await Entrepot.start({ config }));
    script = (await get(`http://127.0.0.1:${entrepot.port}/setup.sh`)).body.toString();
  });
  after(() => resources.disposeAsync());

  const machine = async (files: Readonly<Record<string, string>>): Promise<TempDir> => {
    const root = await TempDir.make();
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(root.join(path)), { recursive: true });
      await writeFile(root.join(path), content);
    }
    return root;
  };
  const contents = async (root: TempDir): Promise<unknown> =>
    await Promise.all((await root.files()).map(async (path) => [path, await readFile(root.join(path), 'utf8')]));

  const machines: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    'docker-mirror': { 'etc/docker/daemon.json': '{"debug": true, "registry-mirrors": ["https://other.example"]}' },
    docker: { 'etc/pki/ca-trust/source/README': '' },
    containerd: {
      'etc/containerd/config.toml': 'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = ""\n',
      'etc/containerd/certs.d/_default/hosts.toml': 'server = "https://a.example"\n[host."https://b.example"]\n',
    },
    podman: {},
    k3s: {},
  };

  for (const [runtime, files] of Object.entries(machines)) {
    test(`writes for ${runtime} what the command finds nothing to add to, and puts everything back`, async () => {
      await using root = await machine(files);
      const start = await contents(root);
      const applied = await sh(script, root.path, [runtime]);
      assert.equal(applied.code, 0, applied.errors);
      assert.match(applied.out, /^The server CA has the SHA-256 fingerprint ([0-9A-F]{2}:){31}[0-9A-F]{2}; compare: /);
      assert.match(applied.out, /\nwritten {3}\/etc\//);
      const written = await contents(root);
      const again = await sh(script, root.path, [runtime, '--apply']);
      assert.match(again.out, /All of it is there already\.\n(Unless .*:\nnow run {3}sudo [^]*)?$/);
      assert.deepEqual(commandsIn(again.out), commandsIn(applied.out), 'nobody said that they have been run');
      const args = ['client', runtime, '--url', entrepot.origin, '--root', root.path, '--apply'];
      assert.match((await cli(args, { clock: systemClock })).out, /^All of it is there already\./);
      assert.deepEqual(await contents(root), written);
      const undone = await sh(script, root.path, [runtime, '--undo']);
      assert.equal(undone.code, 0, undone.errors);
      assert.deepEqual(await contents(root), start);
    });

    test(`undoes for ${runtime} what the command has applied, and the other way round`, async () => {
      await using root = await machine(files);
      const start = await contents(root);
      const client = async (...args: readonly string[]) =>
        await cli(['client', runtime, '--root', root.path, ...args], { clock: systemClock });
      assert.equal((await client('--url', entrepot.origin, '--apply')).code, 0);
      assert.equal((await sh(script, root.path, [runtime, '--undo'])).code, 0);
      assert.deepEqual(await contents(root), start);
      assert.equal((await sh(script, root.path, [runtime])).code, 0);
      assert.equal((await client('--undo')).code, 0);
      assert.deepEqual(await contents(root), start);
    });
  }

  test('leaves what it cannot merge to people', async () => {
    await using root = await machine({
      'etc/rancher/k3s/registries.yaml': 'configs: {}\n',
      'etc/docker/daemon.json': 'no object',
    });
    const start = await contents(root);
    for (const runtime of ['k3s', 'docker-mirror']) {
      const { code, errors } = await sh(script, root.path, [runtime]);
      assert.equal(code, 1);
      assert.match(errors, /setup: \/etc\/\S+ is .*: put this into it yourself/);
    }
    assert.deepEqual(await contents(root), start);
  });

  test('does not undo what somebody has changed since', async () => {
    await using root = await machine(machines['docker-mirror'] ?? {});
    await sh(script, root.path, ['docker-mirror']);
    await writeFile(root.join('etc/docker/daemon.json'), '{}');
    const { code, errors } = await sh(script, root.path, ['docker-mirror', '--undo']);
    assert.equal(code, 1);
    assert.match(errors, /daemon\.json +has been changed since: undoing would lose that/);
  });

  test('tells whether a pull came here, and by which door', { skip: asksByItself() }, async () => {
    await using root = await machine({});
    const bin = root.join('podman');
    const path = '$(echo "$2" | sed "s/:latest//")/manifests/latest';
    const pull = `curl -fsSk ${entrepot.origin}/v2/${path}`;
    await writeFile(bin, `#!/bin/sh\n[ "$1" = rmi ] || ${pull}\n`);
    await chmod(bin, 0o755);
    const withPodman = `PATH=${root.path}:$PATH\n${script}`;
    const { code, out, errors } = await sh(withPodman, root.path, ['podman', '--verify']);
    assert.equal(code, 0, errors);
    assert.match(out, /that came from https:\/\/127\.0\.0\.1:\d+ \(door: path\)\.\n$/);
    const other = await sh(withPodman, root.path, ['crio', '--verify']);
    assert.equal(other.code, 1);
    assert.match(other.errors, /nothing of docker\.io\/entrepot-probe\/\w+:latest was asked for/);
  });

  test('says that Kubernetes was not tried, where only ctr was there', { skip: asksByItself() }, async () => {
    await using root = await machine({});
    const ctr = `[ "$2" = rm ] || curl -fsSk "${entrepot.origin}/v2/$(echo "$5" | sed "s,docker.io/,,; s,:,/manifests/,")?ns=docker.io"`;
    // Whatever else the machine has is found by its path.
    const withCtr = `ctr() { ${ctr}; }\ncommand() { [ "$2" != crictl ] || return 1; type "$2"; }\n${script}`;
    const { code, out, errors } = await sh(withCtr, root.path, ['containerd', '--verify']);
    assert.equal(code, 0, errors);
    assert.match(out, /\(door: ns\)\.\nWhether Kubernetes \(CRI\) pulls through it was not tried: .*\n$/);
  });

  test('names what there is, when nothing is named', async () => {
    const { code, errors } = await sh(script, '/nonexistent', []);
    assert.equal(code, 1);
    assert.match(errors, /one of docker, docker-mirror, containerd, podman, crio, buildkit, k3s, rke2: curl/);
  });

  test("sets dockerd up by itself where docker-registry-proxy's own was asked for", async () => {
    await using root = await machine({});
    const answer = await get(`http://127.0.0.1:${entrepot.port}/setup/systemd`);
    const { code, errors } = await sh(answer.body.toString(), root.path, []);
    assert.equal(code, 0, errors);
    const dropIn = (await root.files()).find((path) => path.includes('docker.service.d/')) ?? '';
    assert.match(await readFile(root.join(dropIn), 'utf8'), /HTTPS_PROXY=/);
  });

  test('lets dockerd push over plain HTTP to the name by which it was asked for, beside what is there', async () => {
    await using plain = await Entrepot.start();
    await using root = await machine({ 'etc/docker/daemon.json': '{"insecure-registries": ["other.example"]}' });
    const start = await contents(root);
    const answer = await get(`${plain.origin}/setup.sh`, { headers: { host: 'cache.example:5000' } });
    const { code, errors } = await sh(answer.body.toString(), root.path, ['docker']);
    assert.equal(code, 0, errors);
    assert.deepEqual(JSON.parse(await readFile(root.join('etc/docker/daemon.json'), 'utf8')), {
      'insecure-registries': ['http://cache.example:5000', 'other.example'],
    });
    assert.equal((await sh(answer.body.toString(), root.path, ['docker', '--undo'])).code, 0);
    assert.deepEqual(await contents(root), start);
  });

  for (const host of ['a b', "x';id;'", '$(id)', 'x:99999', '-x.example', '[::1', '[zz]:5000', '`id`']) {
    test(`is given to nobody who asks by the name ${host}`, async () => {
      const answer = await get(`http://127.0.0.1:${entrepot.port}/setup.sh`, { headers: { host } });
      assert.equal(answer.status, 400);
      assert.equal(answer.body.toString().includes(host), false);
    });
  }

  test('has the name in it by which it was asked for, in lower case', async () => {
    for (const host of ['Cache.Example:5000', '[::1]:5000', 'cache']) {
      const answer = await get(`http://127.0.0.1:${entrepot.port}/setup.sh`, { headers: { host } });
      assert.match(answer.body.toString(), new RegExp(`\nurl='https://${RegExp.escape(host.toLowerCase())}'\n`));
    }
  });
});
