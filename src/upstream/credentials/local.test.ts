import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import type { UpstreamCredentials } from '../../config/config.ts';
import { Secret } from '../../config/secret.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { until } from '../../../test/support/over-time.ts';
import { TempDir } from '../../../test/support/temp-dir.ts';
import { createCredentialSource, fingerprint } from '../credentials.ts';
import type { Credential, CredentialSource } from '../credentials.ts';

function sourceOf(
  credentials: UpstreamCredentials,
  registry: string,
  path?: string,
  clock = new FakeClock(),
): CredentialSource {
  const environment = { PATH: path === undefined ? process.env['PATH'] : `${path}:${process.env['PATH']}` };
  const http = { ask: () => Promise.reject(new Error('nobody is asked')) };
  const source = createCredentialSource(credentials, { url: new URL(registry), clock, environment, http });
  assert.ok(source);
  return source;
}

function shown(credential: Credential | undefined): unknown {
  if (credential === undefined) return undefined;
  if (credential.kind !== 'password') return [credential.kind, credential.token.reveal()];
  return [credential.username, credential.password.reveal()];
}

/** A `docker-credential-NAME` that logs what it is asked and answers by it. */
async function makeHelper(
  directory: TempDir,
  name: string,
  answers: Readonly<Record<string, string>>,
): Promise<() => Promise<string[]>> {
  const log = directory.join(`${name}.log`);
  const cases = Object.entries(answers).map(([server, answer]) => `'${server}') printf '%s' '${answer}';;`);
  const script = `#!/bin/sh\nread -r server\necho "$1 $server" >> '${log}'\ncase "$server" in ${cases.join(' ')} *) echo 'credentials not found in native keychain'; exit 1;; esac\n`;
  await writeFile(directory.join(`docker-credential-${name}`), script, { mode: 0o755 });
  return async () => (await readFile(log, 'utf8')).trim().split('\n');
}

describe("docker's configuration", () => {
  const auth = (text: string): string => Buffer.from(text).toString('base64');
  const cases: readonly (readonly [string, string, object, unknown])[] = [
    ['a host', 'https://quay.io', { auths: { 'quay.io': { auth: auth('bob:pass:word') } } }, ['bob', 'pass:word']],
    ['a URL', 'https://quay.io', { auths: { 'https://quay.io/v2/': { auth: auth('bob:p') } } }, ['bob', 'p']],
    ['a port', 'https://reg.test:5000', { auths: { 'reg.test:5000': { auth: auth('bob:p') } } }, ['bob', 'p']],
    [
      'Docker Hub',
      'https://registry-1.docker.io',
      { auths: { 'https://index.docker.io/v1/': { auth: auth('bob:p') } } },
      ['bob', 'p'],
    ],
    ['plain fields', 'https://quay.io', { auths: { 'quay.io': { username: 'bob', password: 'p' } } }, ['bob', 'p']],
    [
      'an identity token',
      'https://quay.io',
      { auths: { 'quay.io': { auth: auth('bob:'), identitytoken: 'id' } } },
      ['refresh', 'id'],
    ],
    ['a registry token', 'https://quay.io', { auths: { 'quay.io': { registrytoken: 'reg' } } }, ['bearer', 'reg']],
    ['another host', 'https://quay.io', { auths: { 'ghcr.io': { auth: auth('bob:p') } } }, undefined],
    ['one repository alone', 'https://quay.io', { auths: { 'quay.io/team': { auth: auth('bob:p') } } }, undefined],
    ['nobody', 'https://quay.io', { auths: { 'quay.io': {} } }, undefined],
    ['nothing', 'https://quay.io', {}, undefined],
  ];
  for (const [what, registry, content, expected] of cases) {
    test(`with ${what} gives ${JSON.stringify(expected)}`, async () => {
      await using directory = await TempDir.make();
      const path = directory.join('config.json');
      await writeFile(path, JSON.stringify(content));
      assert.deepEqual(shown(await sourceOf({ kind: 'dockerConfig', path }, registry).get()), expected);
    });
  }

  test('is read again when it was replaced', async () => {
    await using directory = await TempDir.make();
    const path = directory.join('config.json');
    const content = (password: string): string =>
      JSON.stringify({ auths: { 'quay.io': { auth: auth(`bob:${password}`) } } });
    await writeFile(path, content('one'));
    const source = sourceOf({ kind: 'dockerConfig', path }, 'https://quay.io');
    assert.deepEqual(shown(await source.get()), ['bob', 'one']);
    await writeFile(`${path}.new`, content('two'));
    await rename(`${path}.new`, path);
    assert.deepEqual(shown(await source.get()), ['bob', 'two']);
    await writeFile(path, 'not json');
    await assert.rejects(source.get(), { message: `${path} is not JSON` });
  });

  test('asks the helper of a host, then the one for all, then the file', async () => {
    await using directory = await TempDir.make();
    const path = directory.join('config.json');
    const own = await makeHelper(directory, 'own', { 'quay.io': '{"Username":"own","Secret":"o"}' });
    const all = await makeHelper(directory, 'all', {
      'https://index.docker.io/v1/': '{"Username":"<token>","Secret":"refresh-me"}',
    });
    const auths = { 'ghcr.io': { auth: auth('file:f') } };
    await writeFile(path, JSON.stringify({ credHelpers: { 'quay.io': 'own' }, credsStore: 'all', auths }));
    const get = (registry: string): Promise<Credential | undefined> =>
      sourceOf({ kind: 'dockerConfig', path }, registry, directory.path).get();
    assert.deepEqual(shown(await get('https://quay.io')), ['own', 'o']);
    assert.deepEqual(shown(await get('https://registry-1.docker.io')), ['refresh', 'refresh-me']);
    assert.deepEqual(shown(await get('https://ghcr.io')), ['file', 'f']);
    assert.deepEqual(await own(), ['get quay.io']);
    assert.deepEqual(await all(), ['get https://index.docker.io/v1/', 'get ghcr.io']);
  });
});

describe('a credential helper', () => {
  test('is asked once in five minutes, or again when its answer was refused', async () => {
    await using directory = await TempDir.make();
    const clock = new FakeClock();
    const asked = await makeHelper(directory, 'test', { 'quay.io': '{"Username":"bob","Secret":"p"}' });
    const source = sourceOf({ kind: 'helper', name: 'test' }, 'https://quay.io', directory.path, clock);
    assert.deepEqual(shown(await source.get()), ['bob', 'p']);
    await source.get();
    assert.equal((await asked()).length, 1);
    await clock.advance(300_000);
    await source.get();
    await clock.advance(20_000);
    source.refused();
    await source.get();
    assert.equal((await asked()).length, 3);
  });

  test('that knows nothing gives nothing', async () => {
    await using directory = await TempDir.make();
    await makeHelper(directory, 'test', {});
    const source = sourceOf({ kind: 'helper', name: 'test' }, 'https://quay.io', directory.path);
    assert.equal(await source.get(), undefined);
  });

  test('that is not there, fails or answers oddly is named', async () => {
    await using directory = await TempDir.make();
    const get = (name: string): Promise<unknown> =>
      sourceOf({ kind: 'helper', name }, 'https://quay.io', directory.path).get();
    await assert.rejects(get('missing'), /docker-credential-missing cannot be run/);
    await assert.rejects(get('../evil'), /is not the name of a credential helper/);
    await writeFile(directory.join('docker-credential-bad'), '#!/bin/sh\necho locked; exit 3\n', { mode: 0o755 });
    await assert.rejects(get('bad'), { message: 'docker-credential-bad failed (exit code 3): locked' });
    await writeFile(directory.join('docker-credential-odd'), '#!/bin/sh\necho hello\n', { mode: 0o755 });
    await assert.rejects(get('odd'), /did not answer in JSON/);
    await writeFile(directory.join('docker-credential-long'), '#!/bin/sh\nyes | head -c 200000\n', { mode: 0o755 });
    await assert.rejects(get('long'), /more than 65536 bytes/);
  });

  test('that hangs is killed, with what it has started, and asked again when some time has passed', async () => {
    await using directory = await TempDir.make();
    const clock = new FakeClock();
    const log = directory.join('children');
    const script = `#!/bin/sh\nsleep 600 &\necho $! >> '${log}'\nwait\n`;
    await writeFile(directory.join('docker-credential-slow'), script, { mode: 0o755 });
    const source = sourceOf({ kind: 'helper', name: 'slow' }, 'https://quay.io', directory.path, clock);
    const children = async (): Promise<number[]> =>
      (await readFile(log, 'utf8').catch(() => '')).split('\n').slice(0, -1).map(Number);
    const hang = async (count: number): Promise<void> => {
      const killed = assert.rejects(source.get(), /did not answer within 10000 ms/);
      await until(clock, async () => (await children()).length === count, 0);
      await clock.advance(10_000);
      await killed;
    };
    await hang(1);
    const [child = 0] = await children();
    await until(clock, () => !isRunning(child), 0);
    await assert.rejects(source.get(), /did not answer within 10000 ms/, 'told again at once');
    await clock.advance(30_000);
    await hang(2);
  });
});

/** A process that has ended, and that nobody has asked about yet, counts as ended. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe("registry's proxy.exec", () => {
  const helper = async (directory: TempDir, answers: Readonly<Record<string, string>>) => {
    const asked = await makeHelper(directory, 'any', answers);
    return { asked, command: directory.join('docker-credential-any') };
  };

  test('is asked once, or as often as its lifetime says, or for every request', async () => {
    for (const [lifetimeMs, times] of [
      [Number.POSITIVE_INFINITY, 1],
      [60_000, 2],
      [0, 4],
    ] as const) {
      await using directory = await TempDir.make();
      const clock = new FakeClock();
      const { asked, command } = await helper(directory, { 'quay.io': '{"Username":"bob","Secret":"p"}' });
      const source = sourceOf(
        { kind: 'command', command, servers: ['quay.io'], lifetimeMs },
        'https://quay.io',
        '',
        clock,
      );
      assert.deepEqual(shown(await source.get()), ['bob', 'p']);
      await source.get();
      await clock.advance(60_000);
      await source.get();
      await source.get();
      assert.deepEqual(
        await asked(),
        Array.from({ length: times }, () => 'get quay.io'),
      );
    }
  });

  test('is asked again when the upstream refuses what it said', async () => {
    await using directory = await TempDir.make();
    const clock = new FakeClock();
    const { asked, command } = await helper(directory, { 'quay.io': '{"Username":"bob","Secret":"p"}' });
    const lifetimeMs = Number.POSITIVE_INFINITY;
    const source = sourceOf(
      { kind: 'command', command, servers: ['quay.io'], lifetimeMs },
      'https://quay.io',
      '',
      clock,
    );
    await source.get();
    await clock.advance(20_000);
    source.refused();
    await source.get();
    assert.equal((await asked()).length, 2);
  });

  test('is asked for the token service, for the registry, and for what docker calls it', async () => {
    await using directory = await TempDir.make();
    const hub = 'https://registry-1.docker.io';
    const servers = ['auth.docker.io', 'registry-1.docker.io'];
    const { asked, command } = await helper(directory, {
      'https://index.docker.io/v1/': '{"Username":"bob","Secret":"p"}',
    });
    assert.deepEqual(shown(await sourceOf({ kind: 'command', command, servers, lifetimeMs: 0 }, hub).get()), [
      'bob',
      'p',
    ]);
    assert.deepEqual(
      await asked(),
      [...servers, 'https://index.docker.io/v1/'].map((name) => `get ${name}`),
    );
  });
});

test('a fingerprint tells credentials apart and tells nothing else', () => {
  const one: Credential = { kind: 'password', username: 'bob', password: new Secret('p') };
  const same: Credential = { kind: 'password', username: 'bob', password: new Secret('p') };
  const other: Credential = { kind: 'password', username: 'bob', password: new Secret('q') };
  const token: Credential = { kind: 'refresh', token: new Secret('p') };
  assert.equal(fingerprint(one), fingerprint(same));
  assert.equal(new Set([one, other, token].map(fingerprint)).size, 3);
});
