import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { RegistryError } from './errors.ts';
import { parseImageName, referenceOf, referencePart, repositoryPart } from './image-name.ts';

const hex = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

function textOf(text: string): string {
  const image = parseImageName(text);
  return repositoryPart(image) + referencePart(image);
}

describe('an image name', () => {
  const readings: readonly (readonly [given: string, meant: string])[] = [
    ['redis', 'redis:latest'],
    ['redis:7', 'redis:7'],
    ['docker.io/redis', 'docker.io/redis:latest'],
    ['bitnami/redis', 'bitnami/redis:latest'],
    ['quay.io/coreos/etcd:v3', 'quay.io/coreos/etcd:v3'],
    ['Quay.IO/coreos/etcd:v3', 'quay.io/coreos/etcd:v3'],
    ['Registry/app', 'registry/app:latest'],
    ['localhost/app', 'localhost/app:latest'],
    ['localhost:5000/app', 'localhost:5000/app:latest'],
    ['cache:5000/quay.io/coreos/etcd', 'cache:5000/quay.io/coreos/etcd:latest'],
    ['[::1]:5000/app', '[::1]:5000/app:latest'],
    [`redis@sha256:${hex}`, `redis@sha256:${hex}`],
    [`ghcr.io/o/a:v1@sha256:${hex}`, `ghcr.io/o/a:v1@sha256:${hex}`],
  ];
  for (const [given, meant] of readings) {
    test(`"${given}" means ${meant}`, () => assert.equal(textOf(given), meant));
  }

  const refusals: readonly (readonly [given: string, code: string])[] = [
    ['', 'NAME_INVALID'],
    [':7', 'NAME_INVALID'],
    ['quay.io/', 'NAME_INVALID'],
    ['/redis', 'NAME_INVALID'],
    ['redis/', 'NAME_INVALID'],
    ['Redis', 'NAME_INVALID'],
    ['a//b', 'NAME_INVALID'],
    ['https://quay.io/a/b', 'NAME_INVALID'],
    ['-x.io/a', 'NAME_INVALID'],
    [hex, 'NAME_INVALID'],
    ['a'.repeat(2000), 'NAME_INVALID'],
    ['redis:', 'TAG_INVALID'],
    ['redis:-x', 'TAG_INVALID'],
    ['redis@sha256:abc', 'DIGEST_INVALID'],
    [`redis@sha256:${hex}@sha256:${hex}`, 'DIGEST_INVALID'],
  ];
  for (const [given, code] of refusals) {
    test(`"${given.slice(0, 30)}" is refused as ${code}`, () => {
      assert.throws(
        () => parseImageName(given),
        (error) => error instanceof RegistryError && error.code === code,
      );
    });
  }

  test('asks by digest when it has one', () => {
    assert.equal(referenceOf(parseImageName(`redis:7@sha256:${hex}`)), `sha256:${hex}`);
    assert.equal(referenceOf(parseImageName('redis:7')), '7');
    assert.equal(referenceOf(parseImageName('redis')), 'latest');
  });

  test('tells what was written down from what was implied', () => {
    assert.equal(parseImageName('redis').explicit, false);
    assert.equal(parseImageName('redis:latest').explicit, true);
  });

  test('is read or refused with a RegistryError, whatever the text', () => {
    const piece = fc.oneof(
      fc.string({ maxLength: 20 }),
      fc.constantFrom(
        '/',
        ':',
        '@',
        '.',
        'a',
        'docker.io',
        'library',
        `sha256:${hex}`,
        '[::1]',
        'localhost',
        '5000',
        '-',
        '_',
      ),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join('');
        try {
          parseImageName(text);
        } catch (error) {
          assert.ok(error instanceof RegistryError, String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('written out is read back as the same image', () => {
    const word = fc.stringMatching(/^[a-z0-9]{1,8}$/);
    const images = fc.record({
      host: fc.constantFrom('', 'quay.io/', 'docker.io/', 'localhost:5000/', 'Ghcr.io/', '[fe80::1]/'),
      path: fc.array(word, { minLength: 1, maxLength: 4 }),
      tag: fc.option(fc.stringMatching(/^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}$/)),
      digest: fc.boolean(),
    });
    fc.assert(
      fc.property(images, ({ host, path, tag, digest }) => {
        const text = `${host}${path.join('/')}${tag === null ? '' : `:${tag}`}${digest ? `@sha256:${hex}` : ''}`;
        const image = parseImageName(text);
        assert.deepEqual(parseImageName(textOf(text)), { ...image, explicit: true });
      }),
      { numRuns: 500 },
    );
  });
});
