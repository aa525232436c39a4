import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { makeAuthority } from '../../test/support/certificates.ts';
import type { ServerCertificate } from '../../test/support/certificates.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import type { TlsConfig } from '../config/config.ts';
import type { Identity } from './identity.ts';
import { openKeptAuthority } from './kept-authority.ts';
import { openServerTls } from './server-tls.ts';
import type { ServerTlsOptions } from './server-tls.ts';

const ours = makeAuthority('Ours');

async function stage(tls: Partial<TlsConfig>, more: Partial<ServerTlsOptions> = {}) {
  const dir = await TempDir.make();
  const clock = new FakeClock(Date.now());
  const files = { certificatePath: dir.join('cert.pem'), keyPath: dir.join('key.pem') };
  const write = async ({ cert, key }: ServerCertificate): Promise<void> => {
    await writeFile(files.certificatePath, cert);
    await writeFile(files.keyPath, key);
  };
  await write(ours.issue(['cache.example', '10.0.0.9']));
  const authority = await openKeptAuthority({ kind: 'server', directory: undefined, constrain: [], clock });
  const config: TlsConfig = {
    files: undefined,
    acme: undefined,
    auto: false,
    minimumVersion: 'TLSv1.2',
    ciphers: undefined,
    clients: undefined,
    plain: true,
    ...tls,
    ...(tls.files === undefined ? {} : { files }),
  };
  const open = () =>
    openServerTls({
      tls: config,
      authority: config.auto ? authority : undefined,
      acme: undefined,
      ownName: undefined,
      clock,
      ...more,
    });
  return { dir, files, write, open, [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() };
}

const withFiles = { files: { certificatePath: '', keyPath: '' } };

function namesOf({ cert }: Identity): string {
  return new X509Certificate(cert).subjectAltName ?? '';
}

describe('a certificate in files', () => {
  test('is shown whatever the client asks for', async () => {
    await using at = await stage(withFiles);
    const tls = await at.open();
    for (const serverName of [undefined, 'cache.example', 'other.example', 'no name'])
      assert.match(namesOf(tls.identityFor({ serverName, localAddress: '10.0.0.1' })), /^DNS:cache\.example/);
  });

  test('is read again when told, with its chain, and stays in use when the new one is no good', async () => {
    await using at = await stage(withFiles);
    const tls = await at.open();
    const shown = (): Identity => tls.identityFor({ serverName: 'a', localAddress: '10.0.0.1' });
    const first = shown();
    const intermediate = ours.subordinate('Intermediate');
    const next = intermediate.issue(['next.example']);
    await at.write({ ...next, cert: next.cert + intermediate.ca });
    await tls.reload();
    assert.equal(namesOf(shown()), 'DNS:next.example');
    assert.equal(shown().cert.match(/BEGIN/g)?.length, 2);
    assert.notEqual(shown(), first);
    await at.write({ ...next, cert: ours.issue(['mismatch.example']).cert });
    await assert.rejects(
      tls.reload(),
      /^RegistryError: http\.tls: certificate and key cannot be used together .*; give/,
    );
    await rm(at.files.keyPath);
    await assert.rejects(tls.reload(), /http\.tls\.key: cannot read .*key\.pem/);
    assert.equal(namesOf(shown()), 'DNS:next.example');
  });

  test('that is missing at the start is an error that names the setting', async () => {
    await using at = await stage(withFiles);
    await rm(at.files.certificatePath);
    await assert.rejects(at.open(), /http\.tls\.certificate: cannot read/);
  });
});

describe('certificates of our own', () => {
  test('are for the name or the address that the client uses', async () => {
    await using at = await stage({ auto: true });
    const tls = await at.open();
    const localAddress = '10.0.0.1';
    assert.equal(namesOf(tls.identityFor({ serverName: 'cache', localAddress })), 'DNS:cache');
    assert.equal(namesOf(tls.identityFor({ serverName: undefined, localAddress })), 'IP Address:10.0.0.1');
    assert.equal(namesOf(tls.identityFor({ serverName: 'no name', localAddress })), 'IP Address:10.0.0.1');
    assert.equal(namesOf(tls.identityFor({ serverName: '::1', localAddress })), 'IP Address:0:0:0:0:0:0:0:1');
  });

  test('have the address that the operator named as well, for clients behind another one', async () => {
    await using at = await stage({ auto: true }, { ownName: '203.0.113.7' });
    const tls = await at.open();
    const names = namesOf(tls.identityFor({ serverName: undefined, localAddress: '172.17.0.2' }));
    assert.equal(names, 'IP Address:172.17.0.2, IP Address:203.0.113.7');
  });

  test('stand in where the one in files does not cover the name', async () => {
    await using at = await stage({ ...withFiles, auto: true });
    const tls = await at.open();
    const issuer = (serverName: string | undefined, localAddress = '10.0.0.1'): string =>
      new X509Certificate(tls.identityFor({ serverName, localAddress }).cert).issuer;
    assert.equal(issuer('cache.example'), 'CN=Ours');
    assert.match(issuer('other.example'), /^CN=Entrepot server CA/);
    assert.match(issuer(undefined), /^CN=Entrepot server CA/);
    assert.equal(issuer(undefined, '10.0.0.9'), 'CN=Ours');
  });
});

describe('authorities of clients', () => {
  test('are read again when told, and end the sessions that were begun under others', async () => {
    await using at = await stage(withFiles);
    const path = at.dir.join('clients.pem');
    await writeFile(path, ours.ca);
    const clients = { authorityPaths: [path], required: true, verified: true };
    await using other = await stage({ ...withFiles, auto: true, clients });
    const tls = await other.open();
    const before = { settings: tls.settings, leaf: tls.identityFor({ serverName: 'a', localAddress: '10.0.0.1' }) };
    await tls.reload();
    assert.equal(tls.settings, before.settings, 'nothing has changed');
    assert.equal(tls.identityFor({ serverName: 'a', localAddress: '10.0.0.1' }), before.leaf);
    await writeFile(path, makeAuthority('Others').ca + ours.ca);
    await tls.reload();
    assert.notDeepEqual(tls.settings.ticketKeys, before.settings.ticketKeys);
    assert.equal([tls.settings.ca].flat().length, 2);
    assert.notEqual(tls.identityFor({ serverName: 'a', localAddress: '10.0.0.1' }), before.leaf);
    await writeFile(path, 'nothing');
    await assert.rejects(
      tls.reload(),
      /http\.tls\.clientcas: .*clients\.pem: there is no certificate in PEM in it; write/,
    );
    assert.equal([tls.settings.ca].flat().length, 2);
  });
});
