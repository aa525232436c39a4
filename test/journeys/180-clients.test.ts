/**
 * A client machine asks the server what it needs, is set up, and proves that it pulls through it: with an image that exists
 * nowhere but here, by the door that it is set up for.
 */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { cli } from '../../src/cli/testing.ts';
import type { Ran } from '../../src/cli/testing.ts';
import { newProbeName } from '../../src/clients/probe/probe-image.ts';
import { systemClock } from '../../src/observe/clock.ts';
import type { Clock } from '../../src/observe/clock.ts';
import { get } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { pull, pullAsDockerd } from '../support/pull.ts';
import { TempDir } from '../support/temp-dir.ts';

const auto = { http: { tls: { auto: true } } };

interface Seen {
  readonly image: string;
  readonly seen: readonly { readonly door: string; readonly object: string; readonly status: number }[];
}

async function seenOf({ port }: Entrepot, name: string): Promise<Seen> {
  const answer = await get(`http://127.0.0.1:${port}/setup/probe/${name.split('/')[1]}`);
  return JSON.parse(answer.body.toString()) as Seen;
}

/** Runs the command where nothing is installed, so that it waits; `elsewhere` pulls what it asks for. */
async function verify(args: readonly string[], elsewhere: (image: string) => Promise<unknown>): Promise<Ran> {
  let asked = false;
  const clock: Clock = {
    ...systemClock,
    async sleep() {
      if (asked) return await systemClock.sleep(20);
      asked = true;
      await elsewhere(played.image);
    },
  };
  const played = { image: '' };
  const onNote = (text: string): void => {
    played.image = /\n {2}(\S+)\n/.exec(text)?.[1] ?? played.image;
  };
  return await cli(['client', ...args, '--verify', '--wait', '1m'], { clock, env: { PATH: '/nonexistent' }, onNote });
}

function nameIn(image: string): string {
  return /entrepot-probe\/[0-9a-f]{32}/.exec(image)?.[0] ?? 'none';
}

describe('a probe', () => {
  test('is pulled as an image by every door, of every registry, and no upstream hears of it', async () => {
    await using hub = await CountingUpstream.start();
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    const { origin } = entrepot;
    hub.forbid();
    const doors = {
      mirror: (name: string) => pullAsDockerd(origin, name, 'latest'),
      ns: (name: string) => pull(origin, name, 'latest', { ns: 'quay.io', platform: 'linux/arm64' }),
      path: (name: string) => pull(origin, `ghcr.io/${name}`, 'latest'),
    };
    for (const [door, pulled] of Object.entries(doors)) {
      const name = newProbeName();
      assert.equal((await pulled(name)).blobs.length, 2);
      const { image, seen } = await seenOf(entrepot, name);
      assert.equal(image, `${name}:latest`);
      assert.deepEqual(new Set(seen.map((each) => each.door)), new Set([door]));
      assert.ok(seen.some(({ object, status }) => object === 'blob' && status === 200));
    }
    hub.assertUntouched();
  });

  test('is there also where the rules of the operator allow little, and where nothing is cached', async () => {
    await using hub = await CountingUpstream.start();
    const config = { upstreams: { 'docker.io': { allow: ['library/**'] } } };
    await using strict = await Entrepot.start({ upstreams: { 'docker.io': hub }, config });
    await pullAsDockerd(strict.origin, newProbeName(), 'latest');
    await using registry = await Entrepot.start({ registryMode: true });
    await pullAsDockerd(registry.origin, newProbeName(), 'latest');
  });

  test('is nothing that could be pushed to, or found without its name', async () => {
    await using entrepot = await Entrepot.start({ registryMode: true });
    const url = `${entrepot.origin}/v2/${newProbeName()}/blobs/uploads/`;
    const refused = await get(url, { method: 'POST' });
    assert.equal(refused.status, 403);
    assert.match(refused.body.toString(), /cannot be written to; push to another name/);
    assert.equal((await get(`${entrepot.origin}/setup/probe/all`)).status, 404);
    assert.equal((await get(`${entrepot.origin}/setup/client.json`, { method: 'POST' })).status, 405);
    assert.equal((await get(`${entrepot.origin}/setup/else`)).status, 404);
  });
});

describe('entrepot client', () => {
  test('asks the server what there is to know, its own CA included, and writes it', async () => {
    await using hub = await CountingUpstream.start();
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub }, config: auto });
    await using root = await TempDir.make({ expectEmpty: true });
    const run = async (...args: readonly string[]): Promise<Ran> =>
      await cli(['client', 'containerd', '--root', root.path, ...args], { clock: systemClock });
    const applied = await run('--url', entrepot.origin, '--apply');
    assert.equal(applied.code, 0, applied.notes);
    assert.match(
      applied.notes,
      /The CA of https:\/\/127\.0\.0\.1:\d+ has the fingerprint ([0-9A-F]{2}:){31}[0-9A-F]{2}; /,
    );
    const [fingerprint = ''] = /([0-9A-F]{2}:){31}[0-9A-F]{2}/.exec(applied.notes) ?? [];
    assert.match(applied.out, /^written {3}\/etc\/containerd\/certs\.d\/_default\/hosts\.toml\n/);
    assert.match(
      applied.out,
      /now run {3}sudo systemctl restart containerd\nprove it {2}entrepot client containerd --url /,
    );
    const ca = await readFile(root.join('etc/containerd/certs.d/entrepot-ca.crt'), 'utf8');
    assert.equal(ca, (await get(`http://127.0.0.1:${entrepot.port}/ca.crt?ca=server`)).body.toString());
    const again = await run('--url', entrepot.origin, '--apply', '--fingerprint', fingerprint);
    assert.match(
      again.out,
      /^All of it is there already\.\nUnless that has been done since it was written:\nnow run {3}sudo systemctl restart containerd\nprove it/,
    );
    assert.equal(again.notes, '');
    const wrong = await run('--url', entrepot.origin, '--apply', '--fingerprint', fingerprint.replaceAll('A', 'B'));
    assert.match(wrong.notes, /not the one that was given: do not trust it before you know why/);
    const undone = await run('--undo');
    assert.match(undone.out, /^put back {2}\/etc\/containerd/);
  });

  test('shows the fingerprint of the CA that dockerd is to trust for other registries, and compares it', async () => {
    await using entrepot = await Entrepot.start({ config: auto });
    await using root = await TempDir.make();
    const run = async (url: string, ...args: readonly string[]): Promise<Ran> =>
      await cli(['client', 'docker', '--root', root.path, '--url', url, ...args], { clock: systemClock });
    const printed = (kind: string, notes: string): string =>
      new RegExp(`^The ${kind}CA of \\S+ has the fingerprint (\\S+); compare: `, 'm').exec(notes)?.[1] ?? 'none';
    const ofServer = printed('', (await run(entrepot.origin)).notes);
    const plain = `http://127.0.0.1:${entrepot.port}`;
    for (const url of [plain, entrepot.origin]) {
      const { notes } = await run(url);
      const ofInterception = printed('interception ', notes);
      assert.match(ofInterception, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
      const right = await run(url, '--fingerprint', ofInterception, '--apply');
      assert.equal(right.code, 0, right.notes);
      assert.equal(printed('interception ', right.notes), 'none');
      assert.equal(printed('', right.notes), url === plain ? 'none' : ofServer);
      const wrong = await run(url, '--fingerprint', ofInterception.replaceAll('A', 'B'), '--apply');
      assert.match(wrong.notes, /interception CA of .*, not the one that was given: do not trust it/);
      assert.equal(wrong.code, 1);
    }
    assert.equal(printed('interception ', (await run(entrepot.origin, '--fingerprint', ofServer)).notes).length, 95);
  });

  test('takes no fingerprint of a CA that the runtime is not given', async () => {
    await using entrepot = await Entrepot.start();
    const args = ['client', 'containerd', '--url', entrepot.origin, '--fingerprint', 'AA'];
    assert.match((await cli(args, { clock: systemClock })).notes, /has no CA of its own; leave --fingerprint out/);
  });

  test('is told by the server of upstreams that only its configuration knows', async () => {
    const config = { upstreams: { 'registry.example.com': {} } };
    await using entrepot = await Entrepot.start({ config });
    const { out } = await cli(['client', 'podman', '--url', entrepot.origin], { clock: systemClock });
    assert.match(out, /location = "registry\.example\.com"/);
  });

  test('on the machine of the server itself takes the certificate from its socket', async () => {
    await using entrepot = await Entrepot.start({ config: auto });
    const args = ['client', 'docker-mirror', '--config', entrepot.configFile, '--socket', entrepot.adminSocket];
    const { out } = await cli(args, { clock: systemClock });
    assert.match(out, /certs\.d\/127\.0\.0\.1:\d+\/ca\.crt:\n\n-----BEGIN CERTIFICATE-----/);
  });

  test('writes nothing for a server that is not there, unless told to', async () => {
    await using root = await TempDir.make();
    const args = ['client', 'docker-mirror', '--url', 'http://127.0.0.1:1', '--root', root.path, '--apply'];
    const { code, notes } = await cli(args, { clock: systemClock });
    assert.equal(code, 1);
    assert.match(notes, /No server answers at http:\/\/127\.0\.0\.1:1 .*or apply unseen with --offline/);
    assert.deepEqual(await root.files(), []);
    assert.equal((await cli([...args, '--offline'], { clock: systemClock })).code, 0);
    assert.match(await readFile(root.join('etc/docker/daemon.json'), 'utf8'), /"http:\/\/127\.0\.0\.1:1"/);
  });

  test('has nothing to write for what stands elsewhere', async () => {
    await using entrepot = await Entrepot.start();
    const { notes } = await cli(['client', 'kaniko', '--url', entrepot.origin, '--apply'], { clock: systemClock });
    assert.match(notes, /kaniko has no file on a machine that could be written/);
  });
});

describe('entrepot client --verify', () => {
  test('waits for a pull elsewhere, and names the door', async () => {
    await using entrepot = await Entrepot.start();
    const { origin } = entrepot;
    const ran = await verify(['containerd', '--url', origin], (image) =>
      pull(origin, nameIn(image), 'latest', { ns: 'docker.io' }),
    );
    assert.equal(ran.code, 0, ran.notes);
    assert.match(ran.out, /^It pulled docker\.io\/entrepot-probe\/.*, asked with \?ns= \(door: ns\)\.\n/);
  });

  test('speaks TLS to a server with a CA of its own', async () => {
    await using entrepot = await Entrepot.start({ config: auto });
    const { origin, port } = entrepot;
    const ran = await verify(['podman', '--url', origin], (image) =>
      pull(`http://127.0.0.1:${port}`, image.replace(/:latest$/, ''), 'latest'),
    );
    assert.match(ran.out, /\(door: path\)/);
  });

  test('says that Kubernetes was not tried, where only ctr was there', async () => {
    await using entrepot = await Entrepot.start();
    await using root = await TempDir.make();
    // "ctr images pull --hosts-dir DIRECTORY docker.io/NAME:latest"
    const name = '${5#docker.io/}';
    const fetch = `const url = "${entrepot.origin}/v2/" + process.argv[1].replace(":", "/manifests/") + "?ns=docker.io"; await fetch(url)`;
    const ctr = `#!/bin/sh\n[ "$2" = rm ] || exec '${process.execPath}' --input-type=module --eval '${fetch}' "${name}"\n`;
    await writeFile(root.join('ctr'), ctr, { mode: 0o755 });
    const run = async (): Promise<Ran> =>
      await cli(['client', 'containerd', '--url', entrepot.origin, '--root', root.path, '--verify'], {
        clock: systemClock,
        env: { PATH: root.path },
      });
    const { code, out, notes } = await run();
    assert.equal(code, 0, notes);
    assert.match(out, /^ctr pulled docker\.io\/entrepot-probe\//);
    assert.match(notes, /^Whether Kubernetes \(CRI\) pulls through it was not tried: .*Install crictl/);
    await mkdir(root.join('etc/containerd'), { recursive: true });
    await writeFile(root.join('etc/containerd/config.toml'), 'disabled_plugins = ["cri"]\n');
    assert.equal((await run()).notes, '');
  });

  test('says that nothing came, when nothing came', async () => {
    await using entrepot = await Entrepot.start();
    await using bin = await TempDir.make();
    await mkdir(bin.join('empty'));
    const args = ['client', 'docker-mirror', '--url', entrepot.origin, '--verify', '--wait', '0s'];
    const { code, notes } = await cli(args, { clock: systemClock, env: { PATH: bin.join('empty') } });
    assert.equal(code, 1);
    assert.match(
      notes,
      /Nothing of docker\.io\/entrepot-probe\/\w+:latest was asked for at .*: this docker-mirror does not use it/,
    );
  });
});
