import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { makeAuthority } from '../../test/support/certificates.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import { openGivenAuthority } from './given-authority.ts';
import { openKeptAuthority } from './kept-authority.ts';
import type { KeptOptions } from './kept-authority.ts';
import { createLeaves } from './leaves.ts';
import { mintRoot } from './mint.ts';
import { readSigner } from './signer.ts';
import { serveLeaves, shake } from './testing.ts';

const dayMs = 86_400_000;

function open(directory: string | undefined, options: Partial<KeptOptions> = {}) {
  const clock = options.clock ?? new FakeClock();
  return openKeptAuthority({ kind: 'server', directory, constrain: [], clock, ...options });
}

describe('an authority of our own', () => {
  test('is made at the first start, for ten years, and is the same at the next', async () => {
    await using dir = await TempDir.make();
    const clock = new FakeClock();
    const made = (await open(dir.path, { clock })).signer();
    assert.equal((await open(dir.path, { clock })).signer().fingerprint, made.fingerprint);
    const certificate = new X509Certificate(made.root);
    assert.equal(certificate.ca, true);
    assert.match(certificate.subject, /^CN=Entrepot server CA [0-9a-f]{8}$/);
    assert.ok(certificate.validFromDate.getTime() < clock.now());
    assert.equal(Math.round((made.validTo - clock.now()) / dayMs), 3_652);
  });

  test('keeps its key where only its own user reads it', async () => {
    await using dir = await TempDir.make();
    await open(dir.join('ca'));
    assert.equal((await stat(dir.join('ca'))).mode & 0o777, 0o700);
    assert.equal((await stat(dir.join('ca/1.pem'))).mode & 0o777, 0o600);
  });

  test('is one for all who start at the same moment', async () => {
    await using dir = await TempDir.make();
    const all = await Promise.all(Array.from({ length: 20 }, () => open(dir.join('ca'))));
    assert.equal(new Set(all.map((each) => each.signer().fingerprint)).size, 1);
    assert.deepEqual(await dir.files(), ['ca/1.pem']);
  });

  test('lives in memory where there is no directory', async () => {
    const [one, other] = [await open(undefined), await open(undefined)];
    assert.notEqual(one.signer().fingerprint, other.signer().fingerprint);
    await one.reload();
    assert.equal(one.trusted().length, 1);
  });

  test('whose file is damaged says which and what to do', async () => {
    await using dir = await TempDir.make();
    await open(dir.path);
    const text = await readFile(dir.join('1.pem'), 'utf8');
    await writeFile(dir.join('1.pem'), text.replace(/-----BEGIN PRIVATE KEY[^]*/, ''));
    await assert.rejects(open(dir.path), /1\.pem: there is no private key in PEM in it; write a PEM file/);
  });
});

describe('the renewal of an authority', () => {
  test('serves both, and lets the new one sign from its date on', async () => {
    await using dir = await TempDir.make();
    const clock = new FakeClock();
    const authority = await open(dir.path, { clock });
    const old = authority.signer().fingerprint;
    const next = await authority.renew(clock.now() + 30 * dayMs);
    assert.equal(authority.signer().fingerprint, old);
    assert.deepEqual(fingerprints(authority), [old, next.fingerprint]);
    assert.equal(next.signsFrom, clock.now() + 30 * dayMs);
    await clock.advance(30 * dayMs);
    assert.equal(authority.signer().fingerprint, next.fingerprint);
    assert.deepEqual(fingerprints(authority), [next.fingerprint, old], 'a client may still hold the old one alone');
  });

  test('is known to other processes once they look, and to later starts', async () => {
    await using dir = await TempDir.make();
    const clock = new FakeClock();
    const [one, other] = [await open(dir.path, { clock }), await open(dir.path, { clock })];
    const next = await one.renew(clock.now() + dayMs);
    await other.reload();
    assert.deepEqual(fingerprints(other), fingerprints(one));
    await clock.advance(dayMs);
    assert.equal(other.signer().fingerprint, next.fingerprint);
    assert.equal((await open(dir.path, { clock })).signer().fingerprint, next.fingerprint);
  });

  test('that is asked for twice makes one successor', async () => {
    const clock = new FakeClock();
    const authority = await open(undefined, { clock });
    const first = await authority.renew(clock.now() + dayMs);
    assert.deepEqual(await authority.renew(clock.now() + 2 * dayMs), first);
  });

  test('forgets the old one when it has ended', async () => {
    const clock = new FakeClock();
    const authority = await open(undefined, { clock });
    await clock.advance(3_600 * dayMs);
    const next = await authority.renew(clock.now() + 30 * dayMs);
    await clock.advance(60 * dayMs);
    assert.deepEqual(fingerprints(authority), [next.fingerprint]);
  });
});

describe("an operator's authority", () => {
  test('signs with an intermediate whose chain goes out with each leaf', async () => {
    await using dir = await TempDir.make();
    const root = makeAuthority('Root');
    const intermediate = root.subordinate('Intermediate');
    const files = await filesOf(dir, intermediate.ca + root.ca, intermediate.key);
    const authority = await openGivenAuthority({ kind: 'interception', files, setting: 'intercept.ca' });
    assert.deepEqual(
      authority.trusted().map((each) => each.root.trim()),
      [root.ca.trim()],
    );
    const leaves = createLeaves({ authority, clock: new FakeClock(Date.now()) });
    assert.equal(leaves.leafFor('quay.io').cert.match(/BEGIN CERTIFICATE/g)?.length, 2);
    await using server = await serveLeaves(leaves, 'cache');
    await shake(server.port, { servername: 'quay.io', ca: root.ca });
  });

  test('may have a key of another kind', async () => {
    await using dir = await TempDir.make();
    const pairs = [
      generateKeyPairSync('rsa', { modulusLength: 2_048 }),
      generateKeyPairSync('ed25519'),
      generateKeyPairSync('ec', { namedCurve: 'P-384' }),
    ];
    for (const { privateKey } of pairs) {
      const now = Date.now();
      const root = mintRoot('Theirs', privateKey, { from: now - dayMs, to: now + dayMs });
      const files = await filesOf(dir, root, privateKey.export({ type: 'pkcs8', format: 'pem' }));
      const authority = await openGivenAuthority({ kind: 'interception', files, setting: 'intercept.ca' });
      await using server = await serveLeaves(createLeaves({ authority, clock: new FakeClock(now) }), 'cache');
      await shake(server.port, { servername: 'quay.io', ca: root });
    }
  });

  test('is read again when told, and stays in use when the new files are no good', async () => {
    await using dir = await TempDir.make();
    const [one, other] = [makeAuthority(), makeAuthority()];
    const files = await filesOf(dir, one.ca, one.key);
    const authority = await openGivenAuthority({ kind: 'interception', files, setting: 'intercept.ca' });
    await writeFile(files.certificatePath, other.ca);
    await assert.rejects(authority.reload(), /intercept\.ca: the key is not that of the first certificate; put/);
    assert.equal(authority.signer().root.trim(), one.ca.trim());
    await writeFile(files.keyPath, other.key);
    await authority.reload();
    assert.equal(authority.signer().root.trim(), other.ca.trim());
  });

  test('that cannot be used says why and what to do', async () => {
    const { ca: root, key } = makeAuthority();
    const leaf = makeAuthority().issue(['localhost']);
    const encrypted = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
    }).privateKey;
    const wrong: readonly (readonly [string, string, RegExp])[] = [
      ['', key, /there is no certificate in PEM in it; write/],
      [root, '', /there is no private key in PEM in it; write/],
      [root, encrypted, /its key is encrypted; write one without a passphrase/],
      [leaf.cert, leaf.key, /CN=localhost may not sign certificates; give a certificate authority/],
      [root.replace(/MII.{8}/, 'AAAAAAAAAAA'), key, /a certificate in it cannot be read/],
    ];
    for (const [certificate, privateKey, message] of wrong)
      assert.throws(() => readSigner(certificate, privateKey, 'intercept.ca'), message);
    const files = { certificatePath: '/nowhere/ca.pem', keyPath: '/nowhere/ca.key' };
    await assert.rejects(
      openGivenAuthority({ kind: 'interception', files, setting: 'intercept.ca' }),
      /intercept\.ca\.certificate: cannot read \/nowhere\/ca\.pem/,
    );
  });
});

function fingerprints(authority: { trusted(): readonly { readonly fingerprint: string }[] }): readonly string[] {
  return authority.trusted().map(({ fingerprint }) => fingerprint);
}

async function filesOf(dir: TempDir, certificate: string, key: string) {
  const files = { certificatePath: dir.join('ca.pem'), keyPath: dir.join('ca.key') };
  await writeFile(files.certificatePath, certificate);
  await writeFile(files.keyPath, key);
  return files;
}
