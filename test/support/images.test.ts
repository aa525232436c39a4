import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { digestOf, literalBlob, makeArtifact, makeBlob, makeImage, makeIndex } from './images.ts';

describe('a made blob', () => {
  test('has the digest of its bytes and the same bytes every time', () => {
    const blob = makeBlob(3_000_000, 'a');
    assert.equal(blob.bytes().length, 3_000_000);
    assert.equal(blob.digest, `sha256:${createHash('sha256').update(blob.bytes()).digest('hex')}`);
    assert.deepEqual(makeBlob(3_000_000, 'a').bytes(), blob.bytes());
    assert.notEqual(makeBlob(3_000_000, 'b').digest, blob.digest);
  });

  test('can be read from any offset', () => {
    const blob = makeBlob(2_500_000, 'a');
    for (const [start, end] of [
      [0, 1],
      [1_048_570, 1_048_580],
      [2_000_000, 2_500_000],
      [7, 7],
    ] as const) {
      assert.deepEqual(Buffer.concat([...blob.slices(start, end)]), blob.bytes().subarray(start, end));
    }
  });

  test('has other bytes wherever a buffer or a range might be off by its own size', () => {
    const bytes = makeBlob(9_000_000, 'a').bytes();
    for (const shift of [4096, 65_536, 262_144, 1_048_576, 4_194_304]) {
      assert.notDeepEqual(bytes.subarray(0, 1000), bytes.subarray(shift, shift + 1000));
    }
  });
});

describe('a made image', () => {
  test('is a manifest of its media types that names config and layers by digest and size', () => {
    for (const [mediaTypes, config, layer] of [
      ['oci', 'application/vnd.oci.image.config.v1+json', 'application/vnd.oci.image.layer.v1.tar+gzip'],
      ['docker', 'application/vnd.docker.container.image.v1+json', 'application/vnd.docker.image.rootfs.diff.tar.gzip'],
    ] as const) {
      const image = makeImage({ layers: [10, 20], mediaTypes });
      assert.equal(image.digest, digestOf([image.bytes]));
      const document = JSON.parse(image.bytes.toString());
      assert.equal(document.mediaType, image.mediaType);
      assert.deepEqual(document.config, { mediaType: config, digest: image.config.digest, size: image.config.size });
      assert.deepEqual(
        document.layers,
        image.layers.map(({ digest, size }) => ({ mediaType: layer, digest, size })),
      );
    }
  });

  test('shares the layer that it is given', () => {
    const base = makeBlob(100, 'base');
    const images = [makeImage({ layers: [base, 5], seed: 1 }), makeImage({ layers: [base, 5], seed: 2 })];
    assert.deepEqual(
      images.map(({ layers }) => layers[0]),
      [base, base],
    );
    assert.notEqual(images[0]?.layers[1]?.digest, images[1]?.layers[1]?.digest);
  });
});

test('an index describes its images with their platforms', () => {
  const images = [makeImage(), makeImage({ platform: 'linux/arm/v7' })];
  const document = JSON.parse(makeIndex(images, 'docker').bytes.toString());
  assert.equal(document.mediaType, 'application/vnd.docker.distribution.manifest.list.v2+json');
  assert.deepEqual(document.manifests[1], {
    mediaType: images[1]?.mediaType,
    digest: images[1]?.digest,
    size: images[1]?.size,
    platform: { architecture: 'arm', os: 'linux', variant: 'v7' },
  });
});

test('an artifact names its subject', () => {
  const subject = makeImage();
  const artifact = makeArtifact({ subject, artifactType: 'application/vnd.example.sbom' });
  const document = JSON.parse(artifact.bytes.toString());
  assert.equal(document.artifactType, 'application/vnd.example.sbom');
  assert.deepEqual(document.subject, { mediaType: subject.mediaType, digest: subject.digest, size: subject.size });
  assert.equal(artifact.subject, subject.digest);
});

test('a literal blob is its bytes', () => {
  assert.deepEqual(literalBlob('{}').bytes(), Buffer.from('{}'));
  assert.deepEqual([...literalBlob('').slices()], []);
});
