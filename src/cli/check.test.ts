import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { makeAuthority } from '../../test/support/certificates.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import { openSqliteIndex } from '../index/sqlite/index.ts';
import type { Clock } from '../observe/clock.ts';
import type { Upstream, UpstreamCheck, Upstreams } from '../upstream/contract.ts';
import type { Finding } from './check.ts';
import { cannedServer, cli } from './testing.ts';

function upstreams(statuses: Readonly<Record<string, Partial<UpstreamCheck>>>): Upstreams {
  const find = (name: string): Upstream | undefined => {
    const given = statuses[name];
    if (given === undefined) return undefined;
    const status: UpstreamCheck = {
      name,
      url: `https://${name}`,
      circuit: 'closed',
      lastError: undefined,
      limit: undefined,
      transfers: 0,
      ...given,
    };
    return {
      name,
      url: status.url,
      hasCredentials: false,
      relay: async () => {
        throw new Error('not expected');
      },
      upgrade: async () => {
        throw new Error('not expected');
      },
      repository: () => {
        throw new Error('not expected');
      },
      check: async () => status,
      status: () => status,
    };
  };
  return { find, list: () => [], close: async () => {} };
}

async function check(
  dir: TempDir,
  yaml: string,
  args: readonly string[] = [],
  found: Upstreams = upstreams({}),
  clock: Clock = new FakeClock(),
) {
  const path = dir.join('config.yml');
  const base = `version: 0.1\nstorage: { filesystem: { rootdirectory: "${dir.join('data')}" } }\n`;
  await writeFile(path, base + yaml);
  const ran = await cli(['check', path, '--json', ...args], { clock, upstreams: found });
  const { findings } = JSON.parse(ran.out) as { readonly findings: readonly Finding[] };
  return { ...ran, findings: new Map(findings.map((finding) => [finding.what, finding])) };
}

const anyPort = 'http: { addr: "127.0.0.1:0" }\n';

describe('check', () => {
  test('contacts the upstreams that the configuration names, and fails when one fails', async () => {
    await using dir = await TempDir.make();
    const yaml = `${anyPort}upstreams: { registry.example: { url: "https://registry.example" } }\n`;
    const found = upstreams({
      'docker.io': { limit: { limit: 100, remaining: 7 } },
      'registry.example': { lastError: 'connection refused; check the network' },
      'quay.io': {},
    });
    const { code, findings, notes } = await check(dir, yaml, [], found);
    assert.equal(code, 1);
    assert.equal(
      findings.get('upstream docker.io')?.text,
      'https://docker.io answers anonymously, 7 of 100 requests left',
    );
    assert.deepEqual(findings.get('upstream registry.example'), {
      what: 'upstream registry.example',
      ok: false,
      text: 'connection refused; check the network',
    });
    assert.equal(findings.has('upstream quay.io'), false);
    assert.match(notes, /^1 of \d+ checks failed; see what to do/);
  });

  test('contacts a public registry that the configuration says something of, and none that it does not', async () => {
    await using dir = await TempDir.make();
    const yaml = `${anyPort}upstreams: { quay.io: { credentials: { username: us, password: wrong } } }\n`;
    const found = upstreams({
      'docker.io': {},
      'quay.io': { lastError: 'quay.io refused our credentials (401); check them' },
      'ghcr.io': {},
    });
    const { code, findings } = await check(dir, yaml, [], found);
    assert.equal(code, 1);
    assert.deepEqual(
      [...findings.keys()].filter((what) => what.startsWith('upstream')),
      ['upstream docker.io', 'upstream quay.io'],
    );
    assert.equal(findings.get('upstream quay.io')?.text, 'quay.io refused our credentials (401); check them');
  });

  test('contacts mirrors, and fails when one fails', async () => {
    await using dir = await TempDir.make();
    const mirrors = [{ url: 'http://127.0.0.1:1', lastError: 'connection refused; check the network' }];
    const yaml = `${anyPort}upstreams: { docker.io: { mirrors: ["http://127.0.0.1:1"] } }\n`;
    const { code, findings } = await check(dir, yaml, [], upstreams({ 'docker.io': { mirrors } }));
    assert.equal(code, 1);
    assert.equal(findings.get('upstream docker.io')?.ok, true);
    assert.deepEqual(findings.get('mirror of docker.io'), {
      what: 'mirror of docker.io',
      ok: false,
      text: 'http://127.0.0.1:1: connection refused; check the network, or take it out of upstreams.docker.io.mirrors',
    });
  });

  test('contacts nobody when asked not to', async () => {
    await using dir = await TempDir.make();
    const { code, findings } = await check(dir, anyPort, ['--no-upstreams']);
    assert.equal(code, 0);
    assert.deepEqual([...findings.keys()], ['configuration', 'store', 'index', 'port 127.0.0.1:0']);
  });

  test('leaves no directory behind that was not there', async () => {
    await using dir = await TempDir.make();
    const { findings } = await check(dir, anyPort, ['--no-upstreams']);
    assert.match(findings.get('store')?.text ?? '', /data will be made at first start, .* free$/);
    assert.deepEqual(await dir.files(), ['config.yml']);
  });

  test('finds a pattern that can never match, and says what was meant (projectbluefin/lab#596)', async () => {
    await using dir = await TempDir.make();
    const yaml = [
      anyPort.trim(),
      'upstreams:',
      '  docker.io: { deny: ["redis", "docker.io/team/**", "team/**", "*/secret", "**"] }',
      '  quay.io: { allow: ["*", "quay.io/team/*"] }',
      'hosted: { names: ["local/**", "our.example/**"] }',
      'intercept: { hosts: [quay.io, qauy.io] }',
      'access:',
      '  - { who: anonymous, may: pull, on: ["docker.io/redis", "dokcer.io/**", "index.docker.io/library/*"] }',
      '  - { who: anonymous, may: pull, on: ["docker.io/library/redis", "local/**", "our.example/**", "**", "*.io/**"] }',
    ].join('\n');
    const { code, out } = await check(dir, `${yaml}\n`, ['--no-upstreams']);
    assert.equal(code, 1);
    const { findings } = JSON.parse(out) as { readonly findings: readonly Finding[] };
    const wrong = findings.filter(({ ok }) => !ok).map(({ what, text }) => `${what}: ${text}`);
    assert.deepEqual(wrong, [
      'pattern upstreams.docker.io.deny: "redis" never matches: names of one part are in library/ there; write "library/redis", or "**" for everything',
      'pattern upstreams.docker.io.deny: "docker.io/team/**" never matches: names within an upstream do not begin with it; write "team/**"',
      'pattern upstreams.quay.io.allow: "quay.io/team/*" never matches: names within an upstream do not begin with it; write "team/*"',
      'pattern access[0].on: "docker.io/redis" never matches: names of one part are in library/ there; write "docker.io/library/redis"',
      'pattern access[0].on: "dokcer.io/**" never matches: dokcer.io is no upstream; correct it, or add it under upstreams',
      'pattern access[0].on: "index.docker.io/library/*" never matches: it is called docker.io here; write that instead of index.docker.io',
      'pattern intercept.hosts: "qauy.io" is never intercepted: it is no upstream; add it under upstreams, or take it out',
    ]);
  });

  test('finds pins, freshness and immutability that can never count', async () => {
    await using dir = await TempDir.make();
    const yaml = [
      anyPort.trim(),
      'cache: { pins: ["dockr.io/library/x:*", "redis:7", "quay.io/a/b", "*.io/**", "eu.gcr.io/a/*:v1"] }',
      'upstreams:',
      '  quay.io: { freshness: [{ tags: "*:latest", for: 0 }, { tags: "team/*", for: 0 }, { tags: "v[0-9:]*", for: 0 }] }',
      'hosted:',
      '  names: ["local/**", "web-*"]',
      '  immutable: ["prod/**:v*", "local/app", "local/*", "local/**:v*", "web-?:*", "**:v{1,2}", "*/app:{a,b}"]',
    ].join('\n');
    const { code, out } = await check(dir, `${yaml}\n`, ['--no-upstreams']);
    assert.equal(code, 1);
    const { findings } = JSON.parse(out) as { readonly findings: readonly Finding[] };
    const wrong = findings.filter(({ ok }) => !ok).map(({ what, text }) => `${what}: ${text}`);
    assert.deepEqual(wrong, [
      'pattern cache.pins: "dockr.io/library/x:*" never matches: dockr.io is no upstream; correct it, or add it under upstreams',
      'pattern upstreams.quay.io.freshness: "*:latest" never matches: no tag has a ":"; write "latest"',
      'pattern upstreams.quay.io.freshness: "team/*" never matches: no tag has a "/"; write "*"',
      'pattern hosted.immutable: "prod/**:v*" never matches: nothing of that name is hosted; correct it, or add "prod/**" to hosted.names',
      'pattern hosted.immutable: "local/app" never matches: it is of repositories with their tags; write "local/app:*"',
    ]);
  });

  test('finds immutability without tags in a file of registry, whose names are all hosted', async () => {
    await using dir = await TempDir.make();
    const yaml = `${anyPort}hosted: { immutable: ["prod/**:v*", "app"] }\n`;
    const { out } = await check(dir, yaml, ['--no-upstreams']);
    const { findings } = JSON.parse(out) as { readonly findings: readonly Finding[] };
    assert.deepEqual(
      findings.filter(({ ok }) => !ok).map(({ text }) => text),
      ['"app" never matches: it is of repositories with their tags; write "app:*"'],
    );
  });

  test('finds a port that is taken', async () => {
    await using dir = await TempDir.make();
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const { code, findings } = await check(dir, `http: { addr: "127.0.0.1:${port}" }\n`, ['--no-upstreams']);
    assert.equal(code, 1);
    assert.match(findings.get(`port 127.0.0.1:${port}`)?.text ?? '', /^Another process listens on/);
    other.close();
    await once(other, 'close');
  });

  test('finds the port of the metrics taken, and a name without an address, and says which key to change', async () => {
    await using dir = await TempDir.make();
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const yaml = `http: { addr: "nowhere.invalid:5000", debug: { addr: "127.0.0.1:${port}" } }\n`;
    const { code, findings } = await check(dir, yaml, ['--no-upstreams']);
    assert.equal(code, 1);
    assert.match(
      findings.get(`port 127.0.0.1:${port}`)?.text ?? '',
      /set http\.debug\.addr \(or ENTREPOT_HTTP_DEBUG_ADDR\)/,
    );
    assert.match(
      findings.get('port nowhere.invalid:5000')?.text ?? '',
      /^No address is known for nowhere\.invalid; set http\.addr to an address/,
    );
    other.close();
    await once(other, 'close');
  });

  test('finds an index with which no server starts', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('data/entrepot/index.db');
    await using index = await openSqliteIndex({ path });
    const looked = async (): Promise<Finding | undefined> =>
      (await check(dir, anyPort, ['--no-upstreams'])).findings.get('index');
    assert.equal((await looked())?.ok, true, 'a server is at it');
    await index[Symbol.asyncDispose]();
    const files = await dir.files();
    assert.match((await looked())?.text ?? '', /index\.db, \d+ kB$/);
    assert.deepEqual(await dir.files(), files);
    const bytes = await readFile(path);
    {
      using database = new DatabaseSync(path);
      database.exec('PRAGMA user_version = 999');
    }
    assert.match((await looked())?.text ?? '', /has schema version 999, .*start the newer entrepot/);
    await writeFile(path, bytes.fill(7, 4096, 8 * 4096));
    const damaged = await looked();
    assert.equal(damaged?.ok, false);
    assert.match(damaged?.text ?? '', /damaged.*run `entrepot rebuild`/);
    await writeFile(path, 'no database at all');
    assert.match((await looked())?.text ?? '', /not a database.*run `entrepot rebuild`/);
  });

  test('does not take an index that cannot be looked at for one that is not there yet', async () => {
    await using dir = await TempDir.make();
    await mkdir(dir.join('data'));
    await writeFile(dir.join('data/entrepot'), '');
    const { findings } = await check(dir, anyPort, ['--no-upstreams']);
    assert.equal(findings.get('index')?.ok, false);
    assert.match(findings.get('index')?.text ?? '', /a file where a directory is needed/);
  });

  test('finds a running server that does not answer it, and does not take its ports for somebody else’s', async () => {
    await using dir = await TempDir.make();
    await using _ = await cannedServer(dir.join('admin.sock'), {});
    const yaml = `${anyPort}admin: { socket: "${dir.join('admin.sock')}" }\n`;
    const { findings } = await check(dir, yaml, ['--no-upstreams']);
    assert.deepEqual(findings.get('server'), {
      what: 'server',
      ok: false,
      text: 'nothing is canned for GET /v1/statistics',
    });
    assert.deepEqual([...findings.keys()], ['configuration', 'server', 'store', 'index']);
  });

  test('finds a store whose place is a file', async () => {
    await using dir = await TempDir.make();
    await writeFile(dir.join('data'), '');
    const { findings } = await check(dir, anyPort, ['--no-upstreams']);
    assert.equal(findings.get('store')?.ok, false);
    assert.match(findings.get('store')?.text ?? '', /a file where a directory is needed; move it away/);
  });

  test('finds a key that does not belong to the certificate, and a certificate that has expired', async () => {
    await using dir = await TempDir.make();
    const own = makeAuthority().issue(['cache.example']);
    const other = makeAuthority().issue(['cache.example']);
    await Promise.all([
      writeFile(dir.join('own.crt'), own.cert),
      writeFile(dir.join('own.key'), own.key),
      writeFile(dir.join('other.key'), other.key),
    ]);
    const yaml = (key: string): string =>
      `http: { addr: "127.0.0.1:0", tls: { certificate: "${dir.join('own.crt')}", key: "${dir.join(key)}" } }\n`;
    const soon = new FakeClock(new X509Certificate(own.cert).validToDate.getTime() - 1000);
    const good = await check(dir, yaml('own.key'), ['--no-upstreams'], upstreams({}), soon);
    assert.match(good.findings.get('certificate')?.text ?? '', /^DNS:cache\.example, valid for 1 s$/);
    const mixed = await check(dir, yaml('other.key'), ['--no-upstreams'], upstreams({}), soon);
    assert.match(mixed.findings.get('certificate')?.text ?? '', /is not the key of .*; name the two files/);
    await soon.advance(1000);
    const expired = await check(dir, yaml('own.key'), ['--no-upstreams'], upstreams({}), soon);
    assert.match(expired.findings.get('certificate')?.text ?? '', /own\.crt expired on .*; put a new one there/);
  });
});
