import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { parseHost, parseUpstreamName, upstreamName } from './upstream-name.ts';

describe("an upstream's name", () => {
  for (const [text, name] of [
    ['Quay.IO', 'quay.io'],
    ['quay.io:443', 'quay.io'],
    ['quay.io.', 'quay.io'],
    ['registry.corp:5000', 'registry.corp:5000'],
    ['localhost', 'localhost'],
    ['10.0.0.5:5000', '10.0.0.5:5000'],
    ['[::1]:5000', '[::1]:5000'],
    ['my_registry:5000', 'my_registry:5000'],
  ] as const) {
    test(`${text} is ${name}`, () => assert.equal(upstreamName(text), name));
  }

  for (const text of [
    '',
    'a b',
    'a/b',
    'https://quay.io',
    '..',
    'a..b',
    '-a.b',
    'a:b',
    'a:123456',
    '::1',
    '[zz]',
    'x@y',
    'é.com',
    'a\nb',
    `${'a.'.repeat(200)}b`,
    '*.gcr.io',
  ]) {
    test(`${JSON.stringify(text.slice(0, 20))} is none`, () => assert.equal(upstreamName(text), undefined));
  }

  test('is its own name, and harmless in a URL, whatever was asked', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.domain(),
          fc.ipV6().map((ip) => `[${ip}]:5000`),
        ),
        (text) => {
          const name = upstreamName(text);
          if (name === undefined) return true;
          return upstreamName(name) === name && /^[a-z0-9_.:[\]-]+$/u.test(name);
        },
      ),
    );
  });

  test('in the configuration may have stars, but not be one', () => {
    assert.equal(parseUpstreamName('*.GCR.io'), '*.gcr.io');
    assert.equal(parseUpstreamName('*.dkr.ecr.*.amazonaws.com'), '*.dkr.ecr.*.amazonaws.com');
    assert.throws(() => parseUpstreamName('*'), /name a domain/u);
    assert.throws(() => parseUpstreamName('**.gcr.io'), /too many stars/u);
    assert.throws(() => parseUpstreamName('*.*.*.*.io'), /too many stars/u);
    assert.throws(() => parseUpstreamName('https://quay.io'), /as it stands in image names/u);
  });

  test('of a token service is exact', () => {
    assert.equal(parseHost('Auth.Docker.io'), 'auth.docker.io');
    assert.throws(() => parseHost('*.docker.io'), /exact name/u);
  });
});
