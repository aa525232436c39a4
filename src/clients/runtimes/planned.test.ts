import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { before, Machine, ownTls } from '../machine/testing.ts';
import { everyRegistry } from '../testing.ts';

describe('docker', () => {
  test('speaks plain HTTP to the server by its own name, which pushes and logins go to', async () => {
    await using machine = await Machine.with(before.docker ?? {});
    await machine.apply('docker', everyRegistry);
    assert.deepEqual(JSON.parse(await machine.read('/etc/docker/daemon.json')), {
      debug: true,
      'insecure-registries': ['http://cache.example:5000', 'other.example'],
    });
  });

  for (const host of ['127.0.0.1', 'localhost', '[::1]']) {
    test(`needs to be told nothing to speak it to ${host}`, async () => {
      await using machine = await Machine.with({});
      const { written } = await machine.apply('docker', { ...everyRegistry, url: `http://${host}:5000` });
      assert.ok(!written.includes('/etc/docker/daemon.json'));
    });
  }

  test("has the server's own CA where it looks for that of a registry", async () => {
    await using machine = await Machine.with(before.docker ?? {});
    await machine.apply('docker', ownTls);
    for (const host of ['cache.example', 'cache.example:443'])
      assert.equal(await machine.read(`/etc/docker/certs.d/${host}/ca.crt`), 'PEM\n');
    assert.doesNotMatch(await machine.read('/etc/docker/daemon.json'), /cache\.example/);
  });
});

describe('containerd', () => {
  test('pushes to the server by its own name, and to every other registry itself', async () => {
    await using machine = await Machine.with({});
    await machine.apply('containerd', everyRegistry);
    const read = async (name: string) => await machine.read(`/etc/containerd/certs.d/${name}/hosts.toml`);
    assert.match(await read('cache.example:5000'), /^\[host\."http:\/\/cache\.example:5000"\]\n.*"push"\]/);
    assert.doesNotMatch(await read('_default'), /push/);
  });

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
    assert.deepEqual((await machine.apply('containerd', everyRegistry)).written, [
      '/opt/certs/_default/hosts.toml',
      '/opt/certs/cache.example:5000/hosts.toml',
    ]);
  });

  test("of Docker's package has no CRI to configure", async () => {
    await using machine = await Machine.with({ '/etc/containerd/config.toml': 'disabled_plugins = ["cri"]\n' });
    const { written, notes } = await machine.apply('containerd', everyRegistry);
    assert.deepEqual(
      written,
      ['_default', 'cache.example:5000'].map((name) => `/etc/containerd/certs.d/${name}/hosts.toml`),
    );
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
