import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { RegistryError } from './errors.ts';
import {
  isDigestReference,
  isRepositoryName,
  isTag,
  parseReference,
  parseRepositoryName,
  parseTag,
} from './reference.ts';

const digest = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

function refused(code: string) {
  return (error: unknown): boolean =>
    error instanceof RegistryError && error.code === code && error.origin === 'client';
}

describe('a repository name', () => {
  const names = ['redis', 'library/redis', 'a/b/c/d/e', '0/1', 'a.b', 'a_b', 'a__b', 'a-b', 'a---b', 'x'.repeat(255)];
  for (const name of names) {
    test(`may be "${name.slice(0, 24)}"`, () => assert.equal(parseRepositoryName(name), name));
  }

  const others = [
    '',
    '/',
    'a/',
    '/a',
    'a//b',
    'A',
    'a/B',
    '.a',
    'a.',
    'a..b',
    'a___b',
    'a._b',
    '-a',
    'a-',
    '_a',
    'a:b',
    'a@b',
    'a b',
    'a\n',
    'ä',
    '..',
    '../a',
    'a/../b',
    '%2e%2e',
    'x'.repeat(256),
  ];
  for (const name of others) {
    test(`may not be ${JSON.stringify(name.slice(0, 24))}`, () => {
      assert.equal(isRepositoryName(name), false);
      assert.throws(() => parseRepositoryName(name), refused('NAME_INVALID'));
    });
  }

  test('is decided quickly, whatever the text', () => {
    const hostile = ['-', '_', '.', 'a-', 'a_', '/'].map((piece) => `a${piece.repeat(1_000_000)}!`);
    const before = process.cpuUsage();
    for (const text of hostile) assert.equal(isRepositoryName(text), false);
    for (const text of ['-', '_', '.', 'a-', 'a_'].map((piece) => `a${piece.repeat(126)}!`)) {
      assert.equal(isRepositoryName(text), false);
    }
    const { user } = process.cpuUsage(before);
    assert.ok(user < 1_000_000, `it took ${user} µs`);
  });
});

describe('a tag', () => {
  for (const tag of ['latest', 'V1.2-rc_3', '_', '1', 'a'.repeat(128), 'sha256-abc.sig']) {
    test(`may be "${tag.slice(0, 24)}"`, () => assert.equal(parseTag(tag), tag));
  }

  for (const tag of ['', '.a', '-a', 'a b', 'a/b', 'a:b', 'a\n', 'ä', 'a'.repeat(129), '..']) {
    test(`may not be ${JSON.stringify(tag.slice(0, 24))}`, () => {
      assert.equal(isTag(tag), false);
      assert.throws(() => parseTag(tag), refused('TAG_INVALID'));
    });
  }
});

describe('a reference', () => {
  test('with a colon is a digest, any other a tag', () => {
    assert.equal(isDigestReference(parseReference(digest)), true);
    assert.equal(isDigestReference(parseReference('latest')), false);
    assert.equal(isDigestReference(parseReference(digest.replace(':', '-'))), false);
    assert.throws(() => parseReference('sha256:abc'), refused('DIGEST_INVALID'));
    assert.throws(() => parseReference('a b'), refused('TAG_INVALID'));
  });

  test('and names are read or refused with a RegistryError, whatever the text', () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom(digest, 'sha256:', 'a/b'));
    fc.assert(
      fc.property(text, text, (a, b) => {
        for (const parse of [parseReference, parseRepositoryName, parseTag]) {
          try {
            assert.equal(parse(a + b), a + b);
          } catch (error) {
            assert.ok(error instanceof RegistryError, String(error));
            assert.ok(error.message.length < 600);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
