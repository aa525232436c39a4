import assert from 'node:assert/strict';
import { chmod, lstat, symlink, utimes } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { runtimes } from '../runtimes.ts';
import type { RuntimeName } from '../runtimes.ts';
import { everyRegistry } from '../testing.ts';
import { before, Machine, ownTls } from './testing.ts';
import { undo } from './undo.ts';

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
