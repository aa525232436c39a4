import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { digestOf } from './digest.ts';
import { RegistryError } from './errors.ts';
import { manifestBytesMax, manifestChildrenMax, parseManifest } from './manifest.ts';
import { mediaTypes } from './media-types.ts';

const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf('config'), size: 6 };
const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: digestOf('layer'), size: 5 };
const image = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] };
const amd64 = {
  mediaType: mediaTypes.ociManifest,
  digest: digestOf('amd64'),
  size: 500,
  platform: { os: 'linux', architecture: 'amd64' },
};
const armv7 = { ...amd64, digest: digestOf('arm'), platform: { os: 'linux', architecture: 'arm', variant: 'v7' } };
const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [amd64, armv7] };

function bytesOf(content: unknown): Uint8Array {
  return Buffer.from(typeof content === 'string' ? content : JSON.stringify(content));
}

describe('a manifest', () => {
  test('of an image refers to its config and layers', () => {
    const bytes = bytesOf(image);
    const manifest = parseManifest(bytes, mediaTypes.ociManifest);
    assert.equal(manifest.bytes, bytes, 'the bytes themselves, not a copy that could differ');
    assert.equal(manifest.size, bytes.length);
    assert.equal(manifest.digest, digestOf(bytes));
    assert.equal(manifest.artifactType, config.mediaType);
    assert.deepEqual(manifest.children, [
      { ...config, kind: 'blob' },
      { ...layer, kind: 'blob' },
    ]);
  });

  test('of many platforms refers to the manifests of each', () => {
    const { children } = parseManifest(bytesOf(index), mediaTypes.ociIndex);
    assert.deepEqual(
      children.map(({ kind, platform }) => [kind, platform]),
      [
        ['manifest', 'linux/amd64'],
        ['manifest', 'linux/arm/v7'],
      ],
    );
  });

  test('of an artifact has blobs, a subject, a type and annotations', () => {
    const artifact = {
      mediaType: mediaTypes.ociArtifact,
      artifactType: 'application/spdx+json',
      blobs: [layer],
      subject: amd64,
      annotations: { made: 'today', odd: 7 },
    };
    const manifest = parseManifest(bytesOf(artifact), mediaTypes.ociArtifact);
    assert.deepEqual(manifest.children, [{ ...layer, kind: 'blob' }]);
    assert.equal(manifest.subject, amd64.digest);
    assert.equal(manifest.artifactType, 'application/spdx+json');
    assert.deepEqual(manifest.annotations, { made: 'today' });
  });

  const silent = (content: object): object => ({ ...content, mediaType: undefined });
  const types: readonly (readonly [what: string, content: unknown, declared: string, mediaType: string])[] = [
    ['says it itself', image, '', mediaTypes.ociManifest],
    ['says it itself, sent as JSON', image, 'application/json', mediaTypes.ociManifest],
    ['says it itself, sent as bytes', index, 'application/octet-stream', mediaTypes.ociIndex],
    ['is declared', silent(image), `${mediaTypes.ociManifest}; charset=utf-8`, mediaTypes.ociManifest],
    ['is declared, of Docker', silent(image), mediaTypes.dockerManifest, mediaTypes.dockerManifest],
    ['looks like an image', silent(image), '', mediaTypes.ociManifest],
    ['looks like an index', silent(index), 'application/json', mediaTypes.ociIndex],
    ['looks like an image, sent as text', silent(image), 'text/plain; charset=utf-8', mediaTypes.ociManifest],
    [
      'is unknown to us, but said twice',
      { mediaType: 'application/vnd.x+json' },
      'application/vnd.x+json',
      'application/vnd.x+json',
    ],
  ];
  for (const [what, content, declared, mediaType] of types) {
    test(`has the media type that it ${what}`, () => {
      assert.equal(parseManifest(bytesOf(content), declared).mediaType, mediaType);
    });
  }

  const refusals: readonly (readonly [what: string, content: unknown, declared: string])[] = [
    ['empty', '', ''],
    ['a web page', '<html></html>', 'text/html'],
    ['an answer that is JSON but no manifest', { errors: [] }, 'application/json'],
    ['an answer that is JSON but no manifest, sent as text', { ok: true }, 'text/plain'],
    ['an answer that is JSON but no manifest, sent as a web page', { ok: true }, 'text/html; charset=utf-8'],
    ['a list', [], mediaTypes.ociIndex],
    ['a number', 7, mediaTypes.ociManifest],
    ['null', null, mediaTypes.ociManifest],
    ['cut off', JSON.stringify(image).slice(0, -1), mediaTypes.ociManifest],
    ['two documents', JSON.stringify(image) + JSON.stringify(image), mediaTypes.ociManifest],
    ['declared as something else', image, mediaTypes.dockerManifest],
    ['of schema 1', { schemaVersion: 1, name: 'a', tag: 'b' }, ''],
    ['declared as schema 1', image, mediaTypes.dockerSchema1Signed],
    ['a web page by its own account', { ...index, mediaType: 'text/html' }, ''],
    ['of a media type that breaks a header', { ...index, mediaType: 'application/a\r\nX: b+json' }, ''],
    ['of a media type with a control character', { ...index, mediaType: 'application/\u0001+json' }, ''],
    ['of a media type without end', { ...index, mediaType: `application/${'x'.repeat(60_000)}+json` }, ''],
    ['of schema 3', { ...image, schemaVersion: 3 }, ''],
    ['of schema "2"', { ...image, schemaVersion: '2' }, ''],
    ['an index without manifests', { ...index, manifests: undefined }, ''],
    ['an index whose manifests are no list', { ...index, manifests: {} }, ''],
    ['an image without config', { ...image, config: undefined }, ''],
    ['an image without layers', { ...image, layers: undefined }, ''],
    ['with layers that are no list', { ...image, layers: { length: 1 } }, ''],
    ['with a layer that is text', { ...image, layers: ['x'] }, ''],
    ['with a layer that is null', { ...image, layers: [null] }, ''],
    ['with a bad digest', { ...image, layers: [{ ...layer, digest: 'sha256:x' }] }, ''],
    ['with a digest that is a list', { ...image, layers: [{ ...layer, digest: [layer.digest] }] }, ''],
    ['with a negative size', { ...image, layers: [{ ...layer, size: -1 }] }, ''],
    ['with half a byte', { ...image, layers: [{ ...layer, size: 1.5 }] }, ''],
    ['with a size beyond counting', { ...image, layers: [{ ...layer, size: 2 ** 60 }] }, ''],
    ['with a size that is text', { ...image, layers: [{ ...layer, size: '5' }] }, ''],
    ['with a config that is a list', { ...image, config: [config] }, ''],
    ['with a subject that is text', { ...image, subject: layer.digest }, ''],
    ['with a subject without digest', { ...image, subject: { size: 1 } }, ''],
    ['with annotations that are a list', { ...image, annotations: [] }, ''],
  ];
  for (const [what, content, declared] of refusals) {
    test(`is refused when it is ${what}`, () => {
      assert.throws(() => parseManifest(bytesOf(content), declared), refused('MANIFEST_INVALID'));
    });
  }

  test('is refused when it is not UTF-8', () => {
    const bytes = Buffer.from(JSON.stringify({ ...image, annotations: { a: 'é' } }), 'latin1');
    assert.throws(() => parseManifest(bytes, ''), refused('MANIFEST_INVALID'));
  });

  test('is refused when it is not the one that was asked for', () => {
    assert.throws(() => parseManifest(bytesOf(image), '', digestOf('other')), refused('DIGEST_INVALID'));
    const asked = digestOf(bytesOf(image), 'sha512');
    assert.equal(parseManifest(bytesOf(image), '', asked).digest, asked);
  });
});

describe('a hostile manifest', () => {
  test('of one byte too many is refused before it is read', () => {
    const padded = JSON.stringify(image).padEnd(manifestBytesMax, ' ');
    assert.equal(parseManifest(bytesOf(padded), '').mediaType, mediaTypes.ociManifest);
    assert.throws(() => parseManifest(bytesOf(`${padded} `), ''), refused('MANIFEST_INVALID'));
  });

  test('of one descriptor too many is refused', () => {
    const many = (count: number): Uint8Array =>
      bytesOf({ ...index, manifests: Array.from({ length: count }, () => ({ digest: amd64.digest, size: 1 })) });
    assert.equal(parseManifest(many(manifestChildrenMax), '').children.length, manifestChildrenMax);
    assert.throws(() => parseManifest(many(manifestChildrenMax + 1), ''), refused('MANIFEST_INVALID'));
  });

  test('that would take long to read is refused before it is read', (t) => {
    const read = t.mock.method(JSON, 'parse');
    const inside = (value: string): Uint8Array => bytesOf(`${JSON.stringify(image).slice(0, -1)},"x":${value}}`);
    const nested = `${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`;
    const wide = `[${'{},'.repeat(1_300_000)}{}]`;
    for (const bytes of [inside(nested), inside(wide), bytesOf(nested), bytesOf('{"config":'.repeat(100_000))]) {
      assert.throws(() => parseManifest(bytes, ''), refused('MANIFEST_INVALID'));
    }
    assert.equal(read.mock.callCount(), 0);
    assert.equal(parseManifest(inside('[[{}]]'), '').mediaType, mediaTypes.ociManifest);
  });

  test('that says a thing twice means the last, as the decoders of clients have it', () => {
    const twice = JSON.stringify(image).replace('"layers":', '"layers":[],"layers":');
    assert.equal(parseManifest(bytesOf(twice), '').children.length, 2);
  });

  test('leaves no trace on other objects', () => {
    const text = JSON.stringify({ ...image, annotations: { own: 'x' } }).replace('"own"', '"__proto__"');
    const { annotations } = parseManifest(bytesOf(text), '');
    assert.deepEqual(Object.keys(annotations ?? {}), ['__proto__']);
    assert.equal(Object.getPrototypeOf(annotations), Object.prototype);
    assert.equal('polluted' in {}, false);
  });

  test('is read or refused with a RegistryError, whatever is in the place of what', () => {
    const value = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        fc.jsonValue(),
        fc.constantFrom(config, layer, amd64, 2, 1),
        tie('list'),
        tie('map'),
      ),
      list: fc.array(tie('value'), { maxLength: 3 }),
      map: fc.dictionary(fc.constantFrom('digest', 'size', 'mediaType', 'platform', 'os', '__proto__'), tie('value')),
    })).value;
    const key = fc.constantFrom(
      'schemaVersion',
      'mediaType',
      'config',
      'layers',
      'manifests',
      'blobs',
      'subject',
      'annotations',
      'artifactType',
    );
    const base = fc.constantFrom<object>(image, index, {});
    const types = fc.constantFrom('', 'application/json', 'text/plain', ...Object.values(mediaTypes));
    fc.assert(
      fc.property(base, fc.dictionary(key, value, { maxKeys: 3 }), types, (content, changes, declared) => {
        readOrRefuse(bytesOf({ ...content, ...changes }), declared);
      }),
      { numRuns: 500 },
    );
  });

  test('is read or refused with a RegistryError, whatever the bytes', () => {
    const broken = fc.tuple(fc.nat(), fc.uint8Array({ maxLength: 4 })).map(([at, piece]) => {
      const bytes = Buffer.from(bytesOf(image));
      bytes.set(piece.slice(0, bytes.length), at % (bytes.length - 4));
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(broken, fc.uint8Array(), fc.json().map(bytesOf)), (bytes) => {
        readOrRefuse(bytes, mediaTypes.ociManifest);
      }),
      { numRuns: 1000 },
    );
  });
});

/** Its media type; undefined when it was refused. */
function readOrRefuse(bytes: Uint8Array, declared: string): string | undefined {
  try {
    const manifest = parseManifest(bytes, declared);
    assert.equal(manifest.bytes, bytes);
    assert.ok(manifest.mediaType !== '' && manifest.children.every(({ size }) => Number.isSafeInteger(size)));
    return manifest.mediaType;
  } catch (error) {
    assert.ok(error instanceof RegistryError && error.code === 'MANIFEST_INVALID', String(error));
    return undefined;
  }
}

function refused(code: string) {
  return (error: unknown): boolean => error instanceof RegistryError && error.code === code;
}
