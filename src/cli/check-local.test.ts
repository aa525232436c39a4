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
import type { Finding } from './check.ts';

import { anyPort, cannedServer, runCheck, upstreams } from './testing.ts';

describe('check, of this machine,', () => {
  test('finds a port that is taken', async () => {
    await using dir = await TempDir.make();
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const { code, findings } = await runCheck(dir, `http: { addr: "127.0.0.1:${port}" }\n`, ['--no-upstreams']);
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
    const { code, findings } = await runCheck(dir, yaml, ['--no-upstreams']);
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
      (await runCheck(dir, anyPort, ['--no-upstreams'])).findings.get('index');
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
    const { findings } = await runCheck(dir, anyPort, ['--no-upstreams']);
    assert.equal(findings.get('index')?.ok, false);
    assert.match(findings.get('index')?.text ?? '', /a file where a directory is needed/);
  });

  test('finds a running server that does not answer it, and does not take its ports for somebody else’s', async () => {
    await using dir = await TempDir.make();
    await using _ = await cannedServer(dir.join('admin.sock'), {});
    const yaml = `${anyPort}admin: { socket: "${dir.join('admin.sock')}" }\n`;
    const { findings } = await runCheck(dir, yaml, ['--no-upstreams']);
    assert.deepEqual(findings.get('server'), {
      what: 'server',
      ok: false,
      text: 'nothing is canned for GET /v1/statistics',
    });
    assert.deepEqual([...findings.keys()], ['configuration', 'server', 'store', 'index']);
  });

  test('finds a file of users that can be made, and one that cannot', async () => {
    await using dir = await TempDir.make();
    const auth = (path: string): string => `${anyPort}auth: { htpasswd: { realm: x, path: "${path}" } }\n`;
    const good = await runCheck(dir, auth(dir.join('auth/users')), ['--no-upstreams']);
    assert.match(good.findings.get('users')?.text ?? '', /auth\/users will be made at first start$/);
    assert.deepEqual(await dir.files(), ['config.yml']);
    const bad = await runCheck(dir, auth('/proc/nonexist/users'), ['--no-upstreams']);
    assert.equal(bad.code, 1);
    assert.match(bad.findings.get('users')?.text ?? '', /^nothing can be made in \/proc; name another directory$/);
  });

  test('finds a store whose place is a file', async () => {
    await using dir = await TempDir.make();
    await writeFile(dir.join('data'), '');
    const { findings } = await runCheck(dir, anyPort, ['--no-upstreams']);
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
    const good = await runCheck(dir, yaml('own.key'), ['--no-upstreams'], upstreams({}), soon);
    assert.match(good.findings.get('certificate')?.text ?? '', /^DNS:cache\.example, valid for 1 s$/);
    const mixed = await runCheck(dir, yaml('other.key'), ['--no-upstreams'], upstreams({}), soon);
    assert.match(mixed.findings.get('certificate')?.text ?? '', /is not the key of .*; name the two files/);
    await soon.advance(1000);
    const expired = await runCheck(dir, yaml('own.key'), ['--no-upstreams'], upstreams({}), soon);
    assert.match(expired.findings.get('certificate')?.text ?? '', /own\.crt expired on .*; put a new one there/);
  });
});
