import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Authority } from './authority.ts';
import { openKeptAuthority } from './kept-authority.ts';
import { createLeaves } from './leaves.ts';
import type { LeavesOptions } from './leaves.ts';
import { serveLeaves, shake } from './testing.ts';

const dayMs = 86_400_000;

async function stage({ constrain = [], ...options }: Partial<LeavesOptions> & { constrain?: readonly string[] } = {}) {
  const clock = new FakeClock(Date.now());
  const authority = await openKeptAuthority({ kind: 'interception', directory: undefined, constrain, clock });
  const leaves = createLeaves({ authority, clock, ...options });
  const ca = (): string[] => authority.trusted().map(({ root }) => root);
  return { clock, authority, leaves, ca };
}

describe('a leaf', () => {
  test('is believed for the name that the client asks for', async () => {
    const { leaves, ca } = await stage();
    await using server = await serveLeaves(leaves, 'cache');
    for (const servername of ['quay.io', 'a.b.c.example.com', 'cache', 'my_registry.local']) {
      const { certificate } = await shake(server.port, { servername, ca: ca() });
      assert.equal(certificate.subjectaltname, `DNS:${servername}`);
      assert.equal(certificate.asn1Curve, 'prime256v1');
      const lifeDays = (Date.parse(certificate.valid_to) - Date.parse(certificate.valid_from)) / dayMs;
      assert.ok(lifeDays > 89 && lifeDays < 91, `${lifeDays}`);
    }
  });

  test('is believed for addresses of both families', async () => {
    const { leaves, ca } = await stage();
    for (const [asked, told] of [
      ['10.1.2.3', 'IP Address:10.1.2.3'],
      ['[2001:DB8:0::1]', 'IP Address:2001:DB8:0:0:0:0:0:1'],
      ['fe80::1%eth0', 'IP Address:FE80:0:0:0:0:0:0:1'],
      ['::ffff:127.0.0.1', 'IP Address:127.0.0.1'],
    ] as const) {
      await using server = await serveLeaves(leaves, asked);
      const { certificate } = await shake(server.port, { ca: ca(), checkServerIdentity: () => undefined });
      assert.equal(certificate.subjectaltname, told);
    }
  });

  test('is for no name that is none', async () => {
    const { leaves } = await stage();
    for (const name of [
      '',
      '.',
      '*',
      'a..b',
      '-a.example',
      'a/b',
      'a b',
      '1.2.3',
      `${'a'.repeat(64)}.example`,
      'x\0',
    ]) {
      await assert.rejects(leaves.secureContextFor(name), hasCode('NAME_INVALID'), name);
    }
  });

  test('of a long name has it all the same', async () => {
    const { leaves, ca } = await stage();
    const servername = `${'a'.repeat(60)}.${'b'.repeat(60)}.example`;
    await using server = await serveLeaves(leaves, 'cache');
    assert.equal((await shake(server.port, { servername, ca: ca() })).certificate.subjectaltname, `DNS:${servername}`);
  });
});

describe('leaves', () => {
  test('are minted once a name, however it is spelled', async () => {
    const { leaves } = await stage();
    const contexts = await Promise.all(
      ['quay.io', 'QUAY.io', 'quay.io.', 'quay.io'].map((name) => leaves.secureContextFor(name)),
    );
    assert.equal(new Set(contexts).size, 1);
  });

  test('of two names are for nobody who asks for both in one', async () => {
    const { leaves } = await stage();
    assert.equal(leaves.leafFor('quay.io', 'ghcr.io'), leaves.leafFor('QUAY.io', 'ghcr.io.'));
    assert.throws(() => leaves.leafFor('quay.io ghcr.io'), { code: 'NAME_INVALID' });
  });

  test('are replaced before they end, while the process runs', async () => {
    const { leaves, clock } = await stage();
    await using server = await serveLeaves(leaves, 'cache');
    const seen = new Set<string>();
    for (let day = 0; day < 200; day += 5) {
      // The client's clock is the machine's.
      const { certificate } = await shake(server.port, { servername: 'quay.io', rejectUnauthorized: false });
      const leftDays = (Date.parse(certificate.valid_to) - clock.now()) / dayMs;
      assert.ok(leftDays > 29 && leftDays < 91, `day ${day}: ${certificate.valid_to}`);
      assert.ok(Date.parse(certificate.valid_from) < clock.now());
      seen.add(certificate.serialNumber);
      await clock.advance(5 * dayMs);
    }
    assert.equal(seen.size, 4);
  });

  test('outlive no authority', async () => {
    const { leaves, clock, authority } = await stage();
    await clock.advance(3_640 * dayMs);
    await using server = await serveLeaves(leaves, 'cache');
    const { certificate } = await shake(server.port, { servername: 'quay.io', rejectUnauthorized: false });
    assert.equal(Date.parse(certificate.valid_to), Math.floor(authority.signer().validTo / 1_000) * 1_000);
  });

  test('come from a new authority as soon as it signs', async () => {
    const { leaves, clock, authority } = await stage();
    const issuedBy = (root: string): boolean =>
      new X509Certificate(leaves.leafFor('quay.io').cert).verify(new X509Certificate(root).publicKey);
    const before = authority.signer().root;
    const next = await authority.renew(clock.now() + dayMs);
    assert.ok(issuedBy(before));
    await clock.advance(dayMs);
    assert.ok(issuedBy(next.root));
  });

  test('of names that were not asked for the longest are forgotten beyond a limit', async () => {
    const { leaves } = await stage({ entriesMax: 3 });
    const [a, b] = [await leaves.secureContextFor('a.example'), await leaves.secureContextFor('b.example')];
    await leaves.secureContextFor('c.example');
    assert.equal(await leaves.secureContextFor('a.example'), a);
    await leaves.secureContextFor('d.example');
    assert.equal(await leaves.secureContextFor('a.example'), a);
    assert.notEqual(await leaves.secureContextFor('b.example'), b);
  });

  test('let a client resume what it began under either version', async () => {
    const { leaves, ca } = await stage();
    await using server = await serveLeaves(leaves, 'cache');
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const options = { servername: 'quay.io', ca: ca(), maxVersion };
      const first = await shake(server.port, options);
      const second = await shake(server.port, { ...options, session: first.session });
      assert.deepEqual([first.isResumed, second.isResumed, second.protocol], [false, true, maxVersion]);
    }
  });
});

describe('a constrained authority', () => {
  const constrain = ['quay.io', 'example.com', '10.0.0.1'];

  test('signs for its domains, what is below them, and its addresses', async () => {
    const { leaves, ca } = await stage({ constrain });
    await using server = await serveLeaves(leaves, 'quay.io');
    for (const servername of ['quay.io', 'cdn.quay.io', 'a.b.example.com'])
      await shake(server.port, { servername, ca: ca() });
    await leaves.secureContextFor('10.0.0.1');
  });

  test('signs for nothing else', async () => {
    const { leaves } = await stage({ constrain });
    for (const name of ['notquay.io', 'io', 'gcr.io', 'quay.io.example.org', '10.0.0.2', '::1'])
      await assert.rejects(leaves.secureContextFor(name), hasCode('DENIED'), name);
  });

  test('would be believed by no client for anything else', async () => {
    const { clock, authority } = await stage({ constrain });
    const signer = { ...authority.signer(), constraints: undefined };
    const thief: Authority = { kind: 'interception', signer: () => signer, trusted: () => [], reload: async () => {} };
    const leaves = createLeaves({ authority: thief, clock });
    await using server = await serveLeaves(leaves, 'quay.io');
    const ca = signer.root;
    await assert.rejects(shake(server.port, { servername: 'gcr.io', ca }), /permitted subtree violation/);
    await shake(server.port, { servername: 'quay.io', ca });
  });
});

function hasCode(code: string) {
  return (error: unknown): boolean => error instanceof RegistryError && error.code === code;
}
