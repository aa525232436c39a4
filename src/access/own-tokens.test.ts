import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, randomBytes, sign as signWith } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import { createOwnTokens, ownService } from './own-tokens.ts';
import { openTokenKey } from './token-key.ts';

const key = randomBytes(32);
const clock = new FakeClock();
const hashes = new Map([['ann', 'a hash']]);
const tokens = createOwnTokens(key, clock, (user) => hashes.get(user));
const seconds = clock.now() / 1_000;
const good = {
  iss: ownService,
  aud: ownService,
  sub: 'ann',
  iat: seconds,
  exp: seconds + 60,
  of: createHmac('sha256', key).update('a hash').digest('base64url'),
  access: [{ type: 'repository', name: 'app', actions: ['pull'] }],
};

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function forge(header: object, claims: object, signature: (text: string) => string): string {
  const text = `${part(header)}.${part(claims)}`;
  return `${text}.${signature(text)}`;
}

function hmac(by: Uint8Array, algorithm = 'sha256'): (text: string) => string {
  return (text) => createHmac(algorithm, by).update(text).digest('base64url');
}

const hs256 = { alg: 'HS256', typ: 'JWT' };

describe('a token of ours', () => {
  test('is believed when everything is right, and says what it was made out for', async () => {
    const bearer = await tokens.read(forge(hs256, good, hmac(key)));
    assert.deepEqual(bearer?.scopes, good.access);
    assert.equal((await tokens.read(await tokens.issue('ann', [])))?.user, 'ann');
  });

  test('ends with the password, and with its user', async () => {
    const token = await tokens.issue('ann', []);
    hashes.set('ann', 'another');
    assert.equal(await tokens.read(token), undefined);
    hashes.delete('ann');
    assert.equal(await tokens.read(token), undefined);
    assert.equal(await tokens.read(forge(hs256, { ...good, of: undefined }, hmac(key))), undefined);
    hashes.set('ann', 'a hash');
    assert.equal((await tokens.read(token))?.user, 'ann');
    assert.equal((await tokens.read(await tokens.issue('', [])))?.user, '');
  });

  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const es256 = (text: string): string =>
    signWith('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url');
  const wider = forge(hs256, good, hmac(key)).split('.');
  wider[1] = part({ ...good, access: [{ type: 'repository', name: 'app', actions: ['pull', 'push'] }] });
  const { exp: _, ...endless } = good;
  const forgeries: Readonly<Record<string, string>> = {
    'signed by nobody (none)': forge({ alg: 'none' }, good, () => ''),
    'signed by nobody (nOnE)': forge({ alg: 'nOnE' }, good, () => ''),
    'without a signature': forge(hs256, good, () => ''),
    'signed by somebody else': forge(hs256, good, hmac(randomBytes(32))),
    'signed with an empty key': forge(hs256, good, hmac(Buffer.alloc(0))),
    'signed in another way': forge({ alg: 'HS512' }, good, hmac(key, 'sha512')),
    'signed with a key that it brings': forge({ alg: 'ES256', jwk: privateKey.export({ format: 'jwk' }) }, good, es256),
    'made wider afterwards': wider.join('.'),
    'for somebody else': forge(hs256, { ...good, aud: 'registry.example' }, hmac(key)),
    'for a list of others': forge(hs256, { ...good, aud: ['a', 'b'] }, hmac(key)),
    'to log in with later': forge(hs256, { ...good, aud: `${ownService} refresh` }, hmac(key)),
    'of another issuer': forge(hs256, { ...good, iss: 'else' }, hmac(key)),
    'that has expired': forge(hs256, { ...good, exp: seconds - 1 }, hmac(key)),
    'that never expires': forge(hs256, endless, hmac(key)),
    'that is not valid yet': forge(hs256, { ...good, nbf: seconds + 60 }, hmac(key)),
    'with an extension that we do not know': forge({ ...hs256, crit: ['more'], more: true }, good, hmac(key)),
    'of another kind': 'not.a.token',
    'of nothing': '..',
    'that is very long': `${'a'.repeat(8_000)}.${'b'.repeat(8_000)}.c`,
  };
  for (const [what, token] of Object.entries(forgeries)) {
    test(`${what} is not believed`, async () => {
      assert.equal(await tokens.read(token), undefined);
    });
  }
});

describe('the key of the token service', () => {
  test('is made once, for its user alone, and shared by all processes', async () => {
    await using directory = await TempDir.make();
    const path = join(directory.path, 'entrepot', 'token.key');
    const keys = await Promise.all(Array.from({ length: 5 }, () => openTokenKey(path)));
    for (const each of keys) assert.deepEqual(Buffer.from(each), await readFile(path));
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    await writeFile(path, 'short');
    await assert.rejects(openTokenKey(path), /token\.key, cannot be used \(it has 5 bytes\); .*remove it/);
  });
});
