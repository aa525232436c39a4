import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { algorithmOf, digestOf, digestOfHash, hexOf, isDigest, parseDigest, startHash } from './digest.ts';
import { RegistryError } from './errors.ts';

const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const empty512 =
  'cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e';

describe('a digest', () => {
  for (const [text, algorithm, hex] of [
    [`sha256:${empty}`, 'sha256', empty],
    [`sha512:${empty512}`, 'sha512', empty512],
  ] as const) {
    test(`of ${algorithm} is taken apart`, () => {
      const digest = parseDigest(text);
      assert.equal(algorithmOf(digest), algorithm);
      assert.equal(hexOf(digest), hex);
      assert.equal(digestOf('', algorithm), text);
    });
  }

  const refusals: readonly (readonly [text: string, why: RegExp])[] = [
    ['', /expected ALGORITHM:HEX/],
    [empty, /expected ALGORITHM:HEX/],
    [':', /algorithm "" is not one of/],
    ['md5:d41d8cd98f00b204e9800998ecf8427e', /algorithm "md5" is not one of sha256, sha512/],
    [`SHA256:${empty}`, /algorithm "SHA256" is not one of/],
    [`constructor:${empty}`, /algorithm "constructor" is not one of/],
    [`__proto__:${empty}`, /algorithm "__proto__" is not one of/],
    [`sha256:${empty.toUpperCase()}`, /expected 64 lower-case hexadecimal characters/],
    [`sha256:${empty.slice(1)}`, /expected 64 lower-case/],
    [`sha256:${empty}0`, /expected 64 lower-case/],
    [`sha256:${empty}\n`, /expected 64 lower-case/],
    [` sha256:${empty}`, /algorithm " sha256" is not one of/],
    [`sha512:${empty}`, /expected 128 lower-case/],
    [`sha256:${'g'.repeat(64)}`, /expected 64 lower-case/],
    [`sha256:../../../../etc/passwd`, /expected 64 lower-case/],
  ];
  for (const [text, why] of refusals) {
    test(`is not ${JSON.stringify(text.slice(0, 24))}`, () => {
      assert.equal(isDigest(text), false);
      assert.throws(
        () => parseDigest(text),
        (error) => error instanceof RegistryError && error.code === 'DIGEST_INVALID' && why.test(error.message),
      );
    });
  }

  test('is told in short when it is refused, however long it was', () => {
    assert.throws(
      () => parseDigest('x'.repeat(1_000_000)),
      (error) => error instanceof RegistryError && error.message.length < 400,
    );
  });

  test('is read or refused with a RegistryError, whatever the text', () => {
    const pieces = fc.oneof(fc.string(), fc.constantFrom('sha256', 'sha512', ':', empty, empty512, 'constructor'));
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 5 }), (parts) => {
        const text = parts.join('');
        try {
          assert.equal(parseDigest(text), text);
        } catch (error) {
          assert.ok(error instanceof RegistryError && error.code === 'DIGEST_INVALID', String(error));
        }
      }),
    );
  });

  test('comes out the same however the content was cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 50 })),
        fc.constantFrom('sha256', 'sha512'),
        (chunks, algorithm) => {
          const running = startHash(algorithm);
          for (const chunk of chunks) running.update(chunk);
          const whole = Buffer.concat(chunks);
          assert.equal(digestOfHash(algorithm, running), digestOf(whole, algorithm));
          assert.equal(digestOf(whole, algorithm), `${algorithm}:${createHash(algorithm).update(whole).digest('hex')}`);
        },
      ),
    );
  });
});
