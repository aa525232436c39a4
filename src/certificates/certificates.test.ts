import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { makeAuthority } from '../../test/support/certificates.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import { loadConfig } from '../config/load.ts';
import type { Event } from '../observe/events.ts';
import { openCertificates } from './certificates.ts';

const dayMs = 86_400_000;
const hourMs = 3_600_000;

const send = () => Promise.reject(new Error('nobody is asked'));

async function stage(config: object, clock = new FakeClock()) {
  await using opening = new AsyncDisposableStack();
  const dir = opening.use(await TempDir.make());
  const storage = { filesystem: { rootdirectory: dir.join('registry') } };
  const loaded = await loadConfig({ text: JSON.stringify({ storage, ...config }), env: {} });
  const events: Event[] = [];
  const observer = { emit: (event: Event) => void events.push(event) };
  const open = async () => await openCertificates({ config: loaded.config, intercepts: true, send, observer, clock });
  const certificates = opening.use(await open());
  const scope = opening.move();
  const told = <T extends Event['type']>(type: T) =>
    events.filter((event): event is Extract<Event, { readonly type: T }> => event.type === type);
  /** Looking reads files, which takes real time. */
  const days = async (count: number): Promise<void> => {
    for (let day = 0; day < count; day += 1) {
      await clock.advance(dayMs - hourMs);
      await clock.pending(1);
      await clock.advance(hourMs);
      await clock.pending(1);
    }
  };
  return { dir, certificates, clock, told, days, open, [Symbol.asyncDispose]: () => scope.disposeAsync() };
}

const auto = { http: { tls: { auto: true } } };

test('the authority for our own names is another one than that for interception', async () => {
  await using at = await stage(auto);
  const [server, interception] = at.certificates.authorities;
  assert.deepEqual([server?.kind, interception?.kind], ['server', 'interception']);
  assert.notEqual(server?.signer().fingerprint, interception?.signer().fingerprint);
  assert.deepEqual(await at.dir.files(), [
    'registry/entrepot/certificates/interception/1.pem',
    'registry/entrepot/certificates/server/1.pem',
  ]);
});

test('nothing is made that is not needed', async () => {
  await using at = await stage({});
  assert.deepEqual(
    at.certificates.authorities.map(({ kind }) => kind),
    ['interception'],
  );
  assert.equal(at.certificates.tls, undefined);
});

describe('dates of expiry', () => {
  test('are metrics from the start, and in the log a month ahead, once a day', async () => {
    const clock = new FakeClock(Date.parse('2049-11-20T12:00:00Z'));
    await using dir = await TempDir.make();
    const { cert, key } = makeAuthority().issue(['cache.example']);
    await writeFile(dir.join('cert.pem'), cert);
    await writeFile(dir.join('key.pem'), key);
    const tls = { certificate: dir.join('cert.pem'), key: dir.join('key.pem') };
    await using at = await stage({ http: { tls } }, clock);
    await clock.pending(1);
    const ends = Date.parse('2049-12-31T23:59:59Z');
    assert.deepEqual(at.told('certificate.held').filter(({ certificate }) => certificate === 'http.tls')[0], {
      type: 'certificate.held',
      certificate: 'http.tls',
      validToMs: ends,
    });
    await at.days(11);
    assert.equal(at.told('certificate.expiring').length, 0);
    await at.days(3);
    const told = at.told('certificate.expiring');
    assert.deepEqual(
      told.map(({ certificate, on, days }) => [certificate, on, days]),
      [
        ['http.tls', '2049-12-31', 29],
        ['http.tls', '2049-12-31', 28],
        ['http.tls', '2049-12-31', 27],
      ],
    );
    assert.match(told[0]?.advice ?? '', /^put a new certificate into the files of http\.tls/);
  });
});

describe('an authority of our own', () => {
  test('gets a successor a year before its end, which signs a month before it', async () => {
    await using at = await stage(auto);
    const [server] = at.certificates.authorities;
    const old = server?.signer().fingerprint;
    await at.clock.advance(3_280 * dayMs);
    await at.clock.pending(1);
    assert.equal(at.told('authority.renewed').length, 0);
    await at.days(10);
    assert.deepEqual(
      at.told('authority.renewed').map(({ authority }) => authority),
      ['server', 'interception'],
    );
    assert.equal(server?.signer().fingerprint, old);
    assert.equal(server?.trusted().length, 2);
    await at.clock.advance(305 * dayMs);
    await at.days(10);
    assert.match(
      at.told('certificate.expiring')[0]?.advice ?? '',
      /^from then on another one signs: have clients trust/,
    );
    await at.clock.advance(30 * dayMs);
    assert.notEqual(server?.signer().fingerprint, old);
    assert.equal(at.told('authority.renewed').length, 2);
  });

  test('is renewed by an operator, for every process that shares the storage', async () => {
    await using at = await stage(auto);
    await using other = await at.open();
    const next = await at.certificates.renew('interception', 7 * dayMs);
    assert.equal(next.signsFrom, at.clock.now() + 7 * dayMs);
    await at.days(1);
    await until(() => other.authorities[1]?.trusted().length === 2);
    await at.clock.advance(7 * dayMs);
    assert.equal(other.authorities[1]?.signer().fingerprint, next.fingerprint);
  });

  test('is renewed only where there is one', async () => {
    await using dir = await TempDir.make();
    const theirs = makeAuthority();
    await writeFile(dir.join('ca.pem'), theirs.ca);
    await writeFile(dir.join('ca.key'), theirs.key);
    const ca = { certificate: dir.join('ca.pem'), key: dir.join('ca.key') };
    await using at = await stage({ intercept: { ca } });
    await assert.rejects(at.certificates.renew('server', dayMs), /this server has no server CA; it makes one/);
    await assert.rejects(at.certificates.renew('interception', dayMs), /not one of ours; replace its files/);
  });
});

async function until(met: () => boolean): Promise<void> {
  while (!met()) await new Promise((resolve) => setImmediate(resolve));
}
