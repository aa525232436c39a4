import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { Event } from '../../observe/events.ts';
import { makeAuthority } from '../../../test/support/certificates.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { TempDir } from '../../../test/support/temp-dir.ts';
import type { AcmeAnswer, AcmeRequest } from './client.ts';
import { AcmeKeeper } from './keeper.ts';

const minuteMs = 60_000;
const host = 'cache.example.com';
/** All of one host: RFC 8555 lets a server choose. `npm run acme` asks a real one. */
const places = { newNonce: 'https://acme/nonce', newAccount: 'https://acme/account', newOrder: 'https://acme/order' };

function answer(status: number, body: unknown, headers: AcmeAnswer['headers'] = {}): AcmeAnswer {
  return {
    status,
    headers: { 'replay-nonce': 'n', location: 'https://acme/1', ...headers },
    body: JSON.stringify(body),
  };
}

/** A keeper before a server that answers orders with what the test says. */
async function stage(
  order: (signal: AbortSignal) => AcmeAnswer | Promise<AcmeAnswer>,
  keep?: (dir: TempDir) => Promise<void>,
) {
  const dir = await TempDir.make();
  await keep?.(dir);
  const clock = new FakeClock(Date.now());
  const events: Event[] = [];
  const asked: AcmeRequest[] = [];
  const send = async (request: AcmeRequest, signal: AbortSignal): Promise<AcmeAnswer> => {
    asked.push(request);
    if (request.url === 'https://acme/directory') return answer(200, places);
    return request.url === places.newOrder ? await order(signal) : answer(200, {});
  };
  const keeper = await AcmeKeeper.open({
    acme: {
      directoryUrl: 'https://acme/directory',
      hosts: [host],
      email: undefined,
      directory: dir.path,
      caPath: undefined,
    },
    send,
    context: () => ({}),
    observer: { emit: (event) => void events.push(event) },
    clock,
  });
  const failed = () => events.filter((event) => event.type === 'certificate.failed');
  /** Until so many failures were told, or a day is over. */
  const fail = async (count: number): Promise<void> => {
    for (let minutes = 0; failed().length < count && minutes < 24 * 60; minutes += 1) {
      await clock.advance(minuteMs);
      // Files are read and written in their own time.
      await keeper.idle();
    }
  };
  const orders = () => asked.filter(({ url }) => url === places.newOrder).length;
  return {
    dir,
    clock,
    keeper,
    failed,
    fail,
    orders,
    async [Symbol.asyncDispose]() {
      await keeper[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

function problem(type: string, detail: string) {
  return { type: `urn:ietf:params:acme:error:${type}`, detail };
}

test('a server that limits is left alone as long as it asks for, and otherwise longer each time', async () => {
  let limited: AcmeAnswer['headers'] = {};
  await using at = await stage(() => answer(429, problem('rateLimited', 'too many certificates'), limited));
  await at.fail(3);
  assert.deepEqual(
    at.failed().map(({ againInMs }) => againInMs / minuteMs),
    [5, 10, 20],
  );
  const [first] = at.failed();
  assert.match(first?.message ?? '', /refused \(429\): rateLimited: too many certificates; wait: .*keep what is at/);
  limited = { 'retry-after': String(3 * 3_600) };
  await at.fail(4);
  assert.equal(at.failed()[3]?.againInMs, 180 * minuteMs);
  limited = { 'retry-after': new Date(at.clock.now() + 100 * 365 * 86_400_000).toUTCString() };
  await at.fail(5);
  assert.equal(at.failed()[4]?.againInMs, 7 * 24 * 60 * minuteMs, 'but not for good');
  const before = at.orders();
  await at.clock.advance(6 * 24 * 60 * minuteMs);
  assert.equal(at.orders(), before);
});

test('an answer that no ACME server gives is told with what to look at', async () => {
  await using at = await stage(() => answer(201, {}));
  await at.fail(1);
  assert.match(at.failed()[0]?.message ?? '', /answered without finalize; is http\.tls\.letsencrypt\.directoryurl/);
});

test('what is kept is shown, and nobody is asked', async () => {
  const issued = makeAuthority().issue([host]);
  await using at = await stage(
    () => assert.fail('nobody is to be asked'),
    async (dir) => {
      await writeFile(dir.join(host), issued.key + issued.cert);
    },
  );
  assert.equal(at.keeper.identityFor('Cache.Example.com.')?.cert.trim(), issued.cert.trim());
  assert.equal(at.keeper.identityFor('other.example.com'), undefined);
  assert.deepEqual(
    at.keeper.dates.map(({ validTo }) => validTo),
    [new X509Certificate(issued.cert).validToDate.getTime()],
  );
});

test('what is damaged or for another name is asked for again, with the key of the account', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const account = privateKey.export({ type: 'sec1', format: 'pem' });
  for (const text of ['nonsense', makeAuthority().issue(['another.example.com']).cert]) {
    await using at = await stage(
      () => answer(500, problem('serverInternal', 'not today')),
      async (dir) => {
        await writeFile(dir.join(host), text);
        await writeFile(dir.join('acme_account+key'), account);
      },
    );
    assert.equal(at.keeper.identityFor(host), undefined);
    await at.fail(1);
    assert.equal(at.orders(), 1);
    assert.equal(await readFile(at.dir.join('acme_account+key'), 'utf8'), account);
  }
});

test('the key of the account is made once, and is nobody else’s to read', async () => {
  await using at = await stage(() => answer(500, problem('serverInternal', 'not today')));
  await at.fail(1);
  const path = at.dir.join('acme_account+key');
  const first = await readFile(path, 'utf8');
  assert.equal(createPrivateKey(first).asymmetricKeyDetails?.namedCurve, 'prime256v1');
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  await at.fail(2);
  assert.equal(await readFile(path, 'utf8'), first);
});

test('a key that cannot be an account’s is left where it is, and said', async () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const text = privateKey.export({ type: 'pkcs8', format: 'pem' });
  await using at = await stage(
    () => assert.fail('nobody is to be asked'),
    (dir) => writeFile(dir.join('acme_account+key'), text),
  );
  await at.fail(1);
  assert.match(at.failed()[0]?.message ?? '', /acme_account\+key cannot be used .*; move it away/);
  assert.equal(await readFile(at.dir.join('acme_account+key'), 'utf8'), text);
});

test('an order under way ends with the server', async () => {
  const reached = Promise.withResolvers<void>();
  const at = await stage(async (signal) => {
    reached.resolve();
    await once(signal, 'abort');
    throw signal.reason;
  });
  await at.clock.advance(1_000);
  await reached.promise;
  await at[Symbol.asyncDispose]();
  assert.deepEqual(at.failed(), []);
});
