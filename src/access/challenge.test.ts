import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AuthConfig, TokenAuthConfig } from '../config/config.ts';
import { challengeOf } from './challenge.ts';
import type { Challenged } from './challenge.ts';

const htpasswd: AuthConfig = { kind: 'htpasswd', path: '/users', realm: 'The "house"\n' };
const token: TokenAuthConfig = {
  kind: 'token',
  realm: 'https://auth.example/token',
  service: 'registry.example',
  issuer: 'auth.example',
  rootCertificatesPath: undefined,
  keysPath: undefined,
  redirectPath: undefined,
  algorithms: [],
};
const plain: Challenged = {
  base: 'http://cache.example:5000',
  redirectBase: 'https://cache.example',
  scope: undefined,
  error: undefined,
};

describe('a challenge', () => {
  test('is none where nobody can log in', () => {
    assert.equal(challengeOf({ kind: 'none' }, true, plain), undefined);
  });

  test('asks for a password where there is nothing without one, and for a token where there is something', () => {
    assert.equal(challengeOf(htpasswd, true, plain), String.raw`Basic realm="The \"house\""`);
    assert.equal(
      challengeOf(htpasswd, false, plain),
      'Bearer realm="http://cache.example:5000/auth/token",service="entrepot"',
    );
  });

  test('says what the token has to be good for, and why the one that came is not', () => {
    const scope = 'repository:team/app:pull,push';
    assert.equal(
      challengeOf(token, true, { ...plain, scope, error: 'insufficient_scope' }),
      `Bearer realm="https://auth.example/token",service="registry.example",scope="${scope}",error="insufficient_scope"`,
    );
  });

  test('names our own host where the service is said to be there (autoredirect)', () => {
    const redirected = { ...token, realm: '', redirectPath: '/auth/token' };
    assert.equal(
      challengeOf(redirected, false, plain),
      'Bearer realm="https://cache.example/auth/token",service="registry.example"',
    );
  });
});
