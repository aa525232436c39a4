import assert from 'node:assert/strict';
import { createHash, createPrivateKey, createSecretKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { describe, test } from 'node:test';
import { calculateJwkThumbprint, SignJWT } from 'jose';
import type { JWTHeaderParameters } from 'jose';
import { makeAuthority } from '../../test/support/certificates.ts';
import type { Authority } from '../../test/support/certificates.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import type { AuthFiles, AuthKey } from '../config/auth-files.ts';
import type { TokenAuthConfig } from '../config/config.ts';
import { tokenAlgorithms } from '../config/resolve/access.ts';
import { createForeignTokens } from './foreign-tokens.ts';
import type { Bearer } from './own-tokens.ts';

const clock = new FakeClock(Date.now());
const now = Math.floor(clock.now() / 1_000);
const config: TokenAuthConfig = {
  kind: 'token',
  realm: 'https://auth.example/token',
  service: 'registry.example',
  issuer: 'auth.example',
  rootCertificatesPath: undefined,
  keysPath: undefined,
  redirectPath: undefined,
  algorithms: tokenAlgorithms,
};
const access = [{ type: 'repository', name: 'app', actions: ['pull'] }];
const claims = { iss: 'auth.example', aud: 'registry.example', sub: 'ann', iat: now, nbf: now, exp: now + 300, access };

const pairs = {
  ec: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  p384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  p521: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ed: generateKeyPairSync('ed25519'),
};
const secret = createSecretKey(Buffer.alloc(64, 7));

function keyOf(id: string | undefined, key: KeyObject, algorithm?: string): AuthKey {
  return { id, key, algorithm };
}

async function read(
  token: string,
  files: Partial<AuthFiles>,
  more: Partial<TokenAuthConfig> = {},
): Promise<Bearer | undefined> {
  const all: AuthFiles = { users: undefined, rootCertificates: [], keys: [], adminToken: undefined, ...files };
  return createForeignTokens({ ...config, ...more }, all, clock)(token);
}

function signed(header: JWTHeaderParameters, key: KeyObject, more: object = {}): Promise<string> {
  return new SignJWT({ ...claims, ...more }).setProtectedHeader(header).sign(key);
}

const keys = [keyOf('k', pairs.ec.publicKey)];

describe("another service's token", () => {
  const signers: Readonly<Record<string, { readonly privateKey: KeyObject; readonly publicKey: KeyObject }>> = {
    E: pairs.ec,
    R: pairs.rsa,
    P: pairs.rsa,
    H: { privateKey: secret, publicKey: secret },
  };
  const others: typeof signers = { ES384: pairs.p384, ES512: pairs.p521, EdDSA: pairs.ed };
  for (const alg of tokenAlgorithms) {
    test(`signed with ${alg} is believed, and its key's name is optional`, async () => {
      const { privateKey, publicKey } = others[alg] ?? signers[alg[0] ?? ''] ?? pairs.ec;
      for (const kid of ['mine', undefined]) {
        const token = await signed(kid === undefined ? { alg } : { alg, kid }, privateKey);
        const bearer = await read(token, { keys: [keyOf('other', pairs.p384.publicKey), keyOf('mine', publicKey)] });
        assert.deepEqual([bearer?.user, bearer?.scopes], ['ann', access]);
      }
    });
  }

  test('may name its key by its thumbprint, bring the key, or be for several services', async () => {
    const { privateKey, publicKey } = pairs.ec;
    const jwk = publicKey.export({ format: 'jwk' });
    const unnamed = { keys: [keyOf(undefined, publicKey)] };
    const kid = await calculateJwkThumbprint(jwk);
    assert.ok(await read(await signed({ alg: 'ES256', kid }, privateKey), unnamed));
    assert.ok(await read(await signed({ alg: 'ES256', jwk }, privateKey), unnamed));
    assert.ok(await read(await signed({ alg: 'ES256' }, privateKey, { aud: ['else', 'registry.example'] }), unnamed));
  });

  test("is nobody's without a subject, and holds what it holds, whatever nonsense is beside it", async () => {
    const odd = {
      sub: '',
      access: [...access, 1, null, { type: 'repository' }, { ...access[0], actions: 'pull' }],
      groups: ['ops', 3],
    };
    const bearer = await read(await signed({ alg: 'ES256' }, pairs.ec.privateKey, odd), { keys });
    assert.deepEqual(bearer && { ...bearer, expiresAtMs: 0 }, {
      user: '',
      groups: ['ops'],
      scopes: access,
      expiresAtMs: 0,
    });
  });

  test('may be a minute late, for clocks differ', async () => {
    assert.ok(
      await read(await signed({ alg: 'ES256' }, pairs.ec.privateKey, { exp: now - 50, nbf: now + 50 }), { keys }),
    );
  });

  const forgeries: Readonly<Record<string, () => Promise<string>>> = {
    'of another issuer': () => signed({ alg: 'ES256' }, pairs.ec.privateKey, { iss: 'evil.example' }),
    'for another service': () => signed({ alg: 'ES256' }, pairs.ec.privateKey, { aud: 'other.example' }),
    'that has expired': () => signed({ alg: 'ES256' }, pairs.ec.privateKey, { exp: now - 90 }),
    'that never expires': () => signed({ alg: 'ES256' }, pairs.ec.privateKey, { exp: undefined }),
    'that is not valid yet': () => signed({ alg: 'ES256' }, pairs.ec.privateKey, { nbf: now + 90 }),
    'signed by somebody else': () =>
      signed({ alg: 'ES256', kid: 'k' }, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
    'of a key that nobody knows': () => signed({ alg: 'ES256', kid: 'unknown' }, pairs.ec.privateKey),
    'that vouches for itself': () => {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      return signed({ alg: 'ES256', jwk: publicKey.export({ format: 'jwk' }) }, privateKey);
    },
    'signed with the public key as if it were a secret': () =>
      signed(
        { alg: 'HS256' },
        createSecretKey(Buffer.from(pairs.ec.publicKey.export({ format: 'pem', type: 'spki' }))),
      ),
    'signed by nobody': async () => {
      const [, body] = (await signed({ alg: 'ES256' }, pairs.ec.privateKey)).split('.');
      return `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`;
    },
    'of no form': async () => 'x.y.z',
    'too long to read': async () => `${'a'.repeat(20_000)}.b.c`,
  };
  for (const [what, forge] of Object.entries(forgeries)) {
    test(`${what} is not believed`, async () => {
      assert.equal(await read(await forge(), { keys }), undefined);
    });
  }

  test('in an algorithm that the operator or the key rules out is not believed', async () => {
    const token = await signed({ alg: 'RS256' }, pairs.rsa.privateKey);
    const rsa = pairs.rsa.publicKey;
    assert.ok(await read(token, { keys: [keyOf('k', rsa)] }));
    assert.equal(await read(token, { keys: [keyOf('k', rsa)] }, { algorithms: ['ES256', 'RS512'] }), undefined);
    assert.equal(await read(token, { keys: [keyOf('k', rsa, 'PS256')] }), undefined);
  });
});

describe('a chain of certificates', () => {
  const root = makeAuthority('root');
  const middle = root.subordinate('middle');
  const rogue = makeAuthority('root');
  const rootCertificates = [new X509Certificate(root.ca)];
  const base64 = (pem: string): string => new X509Certificate(pem).raw.toString('base64');

  function by(authority: Authority, chain: readonly string[], header: object = {}): Promise<string> {
    const { cert, key } = authority.issue(['auth.example']);
    const x5c = [cert, ...chain].map(base64);
    return signed({ alg: 'ES256', ...header, x5c }, createPrivateKey(key));
  }

  test('to a root of the bundle vouches for whoever signed, with or without the root in it', async () => {
    assert.ok(await read(await by(root, []), { rootCertificates }));
    assert.ok(await read(await by(root, [root.ca]), { rootCertificates }));
    assert.ok(await read(await by(middle, [middle.ca]), { rootCertificates }));
    const { cert, key } = rogue.issue(['auth.example']);
    const own = [new X509Certificate(cert)];
    const token = await signed({ alg: 'ES256', x5c: [base64(cert)] }, createPrivateKey(key));
    assert.ok(await read(token, { rootCertificates: own }));
  });

  test("of the bundle may be named by libtrust's id, as many services do", async () => {
    const { cert, key } = rogue.issue(['auth.example']);
    const certificate = new X509Certificate(cert);
    const kid = libtrustIdOf(certificate.publicKey);
    assert.match(kid, /^(?:[A-Z2-7]{4}:){11}[A-Z2-7]{4}$/);
    assert.ok(
      await read(await signed({ alg: 'ES256', kid }, createPrivateKey(key)), { rootCertificates: [certificate] }),
    );
  });

  const broken: Readonly<Record<string, () => Promise<string>>> = {
    'of somebody with the same name': () => by(rogue, []),
    'with the right root at the end of a wrong one': () => by(rogue, [root.ca]),
    'with a gap in it': () => by(middle, [root.ca]),
    'that is longer than any': () =>
      by(
        root,
        Array.from({ length: 6 }, () => root.ca),
      ),
    'of nothing': () => signed({ alg: 'ES256', x5c: [] }, pairs.ec.privateKey),
    'of nonsense': () => signed({ alg: 'ES256', x5c: ['bm9uc2Vuc2U='] }, pairs.ec.privateKey),
    'whose certificate did not sign': async () => {
      const [header, ...rest] = (await by(root, [])).split('.');
      const [, ...others] = (await signed({ alg: 'ES256' }, pairs.ec.privateKey)).split('.');
      return [header, ...others.slice(0, rest.length)].join('.');
    },
  };
  for (const [what, forge] of Object.entries(broken)) {
    test(`${what} vouches for nobody`, async () => {
      assert.equal(await read(await forge(), { rootCertificates, keys }), undefined);
    });
  }

  test('that has expired vouches for nobody any more', async () => {
    const token = await by(root, []);
    const later = { now: () => clock.now() + 100 * 365 * 24 * 3_600_000 };
    const files: AuthFiles = { users: undefined, rootCertificates, keys: [], adminToken: undefined };
    assert.equal(await createForeignTokens(config, files, later)(token), undefined);
  });
});

/** Written a second time, from its description: base32 of the first 240 bits of the key's hash. */
function libtrustIdOf(key: KeyObject): string {
  const digest = createHash('sha256')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest()
    .subarray(0, 30);
  let number = BigInt(`0x${digest.toString('hex')}`);
  let letters = '';
  for (let count = 0; count < 48; count += 1) {
    letters = `${'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[Number(number % 32n)]}${letters}`;
    number /= 32n;
  }
  return letters.replaceAll(/(.{4})(?=.)/g, '$1:');
}
