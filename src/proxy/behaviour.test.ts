import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { behaviourOf, isOfSameDomain, realmIn } from './behaviour.ts';

const bearer = 'Bearer realm="https://auth.example.com/token",service="registry.example.com"';

describe('what answers to /v2/', () => {
  const rows: readonly (readonly [
    what: string,
    status: number,
    headers: Readonly<Record<string, string>>,
    is: boolean,
  ])[] = [
    ['a registry that lets anybody in', 200, { 'Docker-Distribution-Api-Version': 'registry/2.0' }, true],
    ['a registry that asks for a token', 401, { 'WWW-Authenticate': bearer }, true],
    [
      'a registry that asks for a password',
      401,
      { 'docker-distribution-api-version': 'registry/2.0', 'www-authenticate': 'Basic realm="r"' },
      true,
    ],
    ['a page', 200, { 'Content-Type': 'text/html' }, false],
    ['a page that asks for a password', 401, { 'WWW-Authenticate': 'Basic realm="admin"' }, false],
    ['an API with tokens of its own', 401, { 'WWW-Authenticate': 'Bearer realm="api"' }, false],
    ['nothing', 404, { 'Docker-Distribution-Api-Version': 'registry/2.0' }, false],
    ['a page elsewhere', 301, { Location: 'https://www.example.com/' }, false],
  ];
  for (const [what, status, headers, is] of rows) {
    test(`${what} is ${is ? 'a' : 'no'} registry`, () => {
      assert.equal(behaviourOf(status, Object.entries(headers)).isRegistry, is);
    });
  }
});

describe('a token service', () => {
  test('is named by the challenge, over TLS alone', () => {
    assert.equal(realmIn(bearer), 'auth.example.com');
    assert.equal(realmIn(bearer.replace('https', 'http')), undefined);
    assert.equal(realmIn('Basic realm="https://auth.example.com/"'), undefined);
    assert.equal(realmIn(undefined), undefined);
  });

  const rows: readonly (readonly [realm: string, registry: string, is: boolean])[] = [
    ['registry.example.com', 'registry.example.com', true],
    ['auth.example.com', 'registry.example.com', true],
    ['example.com', 'registry.example.com', true],
    ['auth.example.com', 'example.com', true],
    ['auth.eu.example.com:8443', 'registry.example.com:5000', true],
    ['accounts.google.com', 'evil.example.com', false],
    ['example.com.evil.net', 'registry.example.com', false],
    ['notexample.com', 'registry.example.com', false],
    ['bank.co.uk', 'evil.co.uk', false],
    ['auth.evil.co.uk', 'evil.co.uk', true],
    ['bank.example', 'localhost', false],
  ];
  for (const [realm, registry, is] of rows) {
    test(`${realm} may ${is ? '' : 'not '}be that of ${registry}`, () => {
      assert.equal(isOfSameDomain(realm, registry), is);
    });
  }
});
