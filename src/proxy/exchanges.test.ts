import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { Fingerprints } from '../access/fingerprints.ts';
import { isStandIn, readStandIn } from '../access/stand-in.ts';
import { requestFor } from '../admin/testing.ts';
import type { Reply, Request } from '../http/message.ts';
import type { Grant, ProofIndex } from '../index/contract.ts';
import { RegistryError } from '../oci/errors.ts';
import type { RelayRequest, Upstream } from '../upstream/contract.ts';
import { isTokenExchange, passExchange } from './exchanges.ts';
import { TokenDesk } from './token-desk.ts';

const via = { kind: 'tunnel', host: 'auth.example' } as const;
const basic = `Basic ${Buffer.from('alice:secret').toString('base64')}`;

/** A desk, before a token service that answers as told, or not at all. */
function scene(answer: { readonly status: number; readonly body: object } | undefined, isNamed = true) {
  const clock = new FakeClock();
  const granted = new Map<string, Grant>();
  const proofs = {
    key: async () => Buffer.alloc(32, 7),
    grant: async (token: string, grant: Grant) => void granted.set(token, grant),
    granted: async (token: string) => granted.get(token),
    challenge: async () => undefined,
  } as unknown as ProofIndex;
  const fingerprints = new Fingerprints(proofs);
  const desk = new TokenDesk({ fingerprints, proofs, clock, isNamed: () => isNamed });
  const sent: RelayRequest[] = [];
  const upstream = {
    name: 'registry.example',
    relay: async (request: RelayRequest) => {
      sent.push(request);
      if (answer === undefined)
        throw new RegistryError('UPSTREAM_UNREACHABLE', 'away', { upstream: 'registry.example' });
      const chunks = (async function* pieces() {
        yield Buffer.from(JSON.stringify(answer.body));
      })();
      return { status: answer.status, headers: [], chunks, cancel: () => {} };
    },
  } as unknown as Upstream;
  const pass = (request: Request): Promise<Reply> => passExchange(request, via, upstream, desk);
  return { clock, desk, fingerprints, granted, sent, pass };
}

function asking(url: string, headers: Readonly<Record<string, string>> = {}): Request {
  return { ...requestFor('GET', url), headers };
}

function posting(fields: Readonly<Record<string, string>>): Request {
  const bytes = Buffer.from(new URLSearchParams(fields).toString());
  const body = { ...requestFor('POST', '/token').body, length: bytes.length, whole: async () => bytes };
  return { ...requestFor('POST', '/token'), headers: { 'content-type': 'application/x-www-form-urlencoded' }, body };
}

function tokenOf({ body }: Reply): string {
  assert.equal(body.kind, 'bytes');
  return (JSON.parse(Buffer.from(body.bytes).toString()) as { readonly token: string }).token;
}

describe('an exchange with a token service', () => {
  test('is told from what else clients ask of it', () => {
    assert.ok(isTokenExchange(asking('/token?service=x&scope=repository:a:pull')));
    assert.ok(isTokenExchange(asking('/service/token?service=x')));
    assert.ok(isTokenExchange(asking('/v2/auth?service=quay.io&scope=repository:a:pull')), 'as at Quay');
    assert.ok(isTokenExchange(posting({ grant_type: 'password' })));
    assert.ok(!isTokenExchange(asking('/v2/scope/tags/list?scope=x')));
    assert.ok(!isTokenExchange(asking('/login')));
    assert.ok(!isTokenExchange(requestFor('POST', '/token')));
  });

  test('grants a token to an account, by whichever way it shows who it is', async () => {
    const at = scene({ status: 200, body: { access_token: 'tok', refresh_token: 'ref', expires_in: 300 } });
    const account = await at.fingerprints.of('password', 'alice:secret');
    const token = await at.fingerprints.of('token', 'tok');
    const refreshed = [
      asking('/token?service=x', { authorization: basic }),
      posting({ grant_type: 'password', username: 'alice', password: 'secret' }),
      posting({ grant_type: 'refresh_token', refresh_token: 'ref' }),
    ];
    for (const request of refreshed) {
      at.granted.delete(token);
      await at.pass(request);
      assert.deepEqual(at.granted.get(token), { credential: account, expiresAtMs: at.clock.now() + 300_000 });
    }
    assert.doesNotMatch(JSON.stringify([...at.granted]), /tok"|ref"|secret/);
  });

  test('says nothing of what others gave, where nobody has named it', async () => {
    const at = scene({ status: 200, body: { token: 'theirs', expires_in: 3_000 } }, false);
    const before = { credential: 'somebody', expiresAtMs: at.clock.now() + 5_000 };
    at.granted.set(await at.fingerprints.of('token', 'theirs'), before);
    await at.pass(asking('/token?service=x', { authorization: basic }));
    const elsewhere = await at.fingerprints.shown('Bearer theirs', 'docker.io');
    assert.deepEqual([elsewhere.credential, elsewhere.expiresAtMs], [before.credential, before.expiresAtMs]);
    const there = await at.fingerprints.shown('Bearer theirs', 'registry.example');
    assert.equal(there.credential, await at.fingerprints.of('password', 'alice:secret'));
    assert.equal(there.expiresAtMs, at.clock.now() + 3_000_000);
  });

  test('is asked for as text, and what it says goes back as it is', async () => {
    const at = scene({ status: 401, body: { details: 'no' } });
    const reply = await at.pass(asking('/token?service=x', { authorization: basic, 'accept-encoding': 'gzip' }));
    assert.equal(reply.status, 401);
    assert.equal(at.sent[0]?.headers['accept-encoding'], 'identity');
    assert.equal(at.granted.size, 0);
  });
});

describe('while the token service is away', () => {
  test('who asks gets a token of ours', async () => {
    const at = scene(undefined);
    const token = tokenOf(await at.pass(asking('/token?service=x', { authorization: basic })));
    assert.ok(isStandIn(`Bearer ${token}`));
    assert.deepEqual(await readStandIn(at.fingerprints, token, 'registry.example'), {
      upstream: 'registry.example',
      credential: await at.fingerprints.of('password', 'alice:secret'),
      expiresAtMs: at.clock.now() + 60_000,
    });
    assert.equal(await readStandIn(at.fingerprints, token, 'another.example'), undefined);
    const nobody = tokenOf(await at.pass(asking('/token?service=x')));
    assert.equal((await readStandIn(at.fingerprints, nobody, 'registry.example'))?.credential, undefined);
  });

  test('one that fails, but answers, is stood in for nobody’s sake alone', async () => {
    const at = scene({ status: 503, body: { errors: [] } });
    assert.equal((await at.pass(asking('/token?service=x', { authorization: basic }))).status, 503);
    const nobody = tokenOf(await at.pass(asking('/token?service=x')));
    assert.equal((await readStandIn(at.fingerprints, nobody, 'registry.example'))?.credential, undefined);
  });

  test('a login is no matter of ours', async () => {
    const at = scene(undefined);
    const logins = [
      asking('/token?service=x&offline_token=true', { authorization: basic }),
      posting({ grant_type: 'password', username: 'alice', password: 'secret', access_type: 'offline' }),
    ];
    for (const request of logins) await assert.rejects(at.pass(request), { code: 'UPSTREAM_UNREACHABLE' });
  });

  test('what somebody else has signed or changed is none of ours', async () => {
    const at = scene(undefined);
    const token = tokenOf(await at.pass(asking('/token?service=x', { authorization: basic })));
    const [head = '', text = '', signature = ''] = token.split('.');
    const other = Buffer.from(JSON.stringify(['somebody', at.clock.now() * 2])).toString('base64url');
    for (const forged of [`${head}.${other}.${signature}`, `${head}.${text}.`, `${head}.${text}`, `${head}.`, head]) {
      assert.equal(await readStandIn(at.fingerprints, forged, 'registry.example'), undefined, forged);
    }
    const shown = await at.fingerprints.shown(`Bearer ${head}.${other}.${signature}`, 'registry.example');
    assert.deepEqual([shown.isStandIn, shown.credential, shown.expiresAtMs], [true, undefined, 0]);
  });
});
