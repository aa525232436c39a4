/** Contents of every kind, as they are pushed together. */
import { randomBytes } from 'node:crypto';
import { artifact, describe, image, index, manifest, noise, types } from './content.ts';
import type { Algorithm, Content, Image, Json, Manifest } from './content.ts';

export function withTag(content: Omit<Content, 'tags'>): Content {
  const last = content.manifests.at(-1);
  const name = `tag-${randomBytes(4).toString('hex')}`;
  return { ...content, tags: last === undefined ? {} : { [name]: last.digest, [`${name}.b`]: last.digest } };
}

export function tagged(images: readonly Image[], more: readonly Manifest[] = []): Content {
  const blobs = new Map(images.flatMap((each) => each.blobs.map((blob) => [blob.digest, blob] as const)));
  return withTag({ blobs: [...blobs.values()], manifests: [...images.map((each) => each.manifest), ...more] });
}

export function indexed(
  algorithm: Algorithm = 'sha256',
  images = [image({ algorithm }), image({ algorithm })],
  fields: Json = {},
): Content {
  return tagged(images, [
    index(
      images.map((each) => each.manifest),
      fields,
      algorithm,
    ),
  ]);
}

export function nested(): Content {
  const images = [image(), image(), image(), image()] as const;
  const [a, b, c, d] = images;
  const inner = [index([a.manifest, b.manifest]), index([c.manifest, d.manifest])];
  return tagged(images, [...inner, index(inner)]);
}

/** 390 of 10,000 characters: below the 4 MiB that the specification wants accepted. */
export function manyAnnotations(): Readonly<Record<string, string>> {
  return Object.fromEntries(Array.from({ length: 390 }, (_, position) => [`large-${position}`, 'A'.repeat(10_000)]));
}

export function undistributed(): Content {
  const [elsewhere, layer] = [noise(300), noise(300)];
  const urls = { urls: [`https://elsewhere.example/${elsewhere.digest}`] };
  const layers = [describe(types.undistributed, elsewhere, urls), describe(types.layer, layer)];
  return tagged([image({ layers: [layer], fields: { layers } })]);
}

export function withSubject(): Content {
  const subject = image();
  const of = { subject: describe(types.manifest, subject.manifest) };
  const annotations = { 'org.example.said': 'yes' };
  return tagged([
    subject,
    image({ fields: of }),
    artifact({ ...of, annotations }),
    artifact({ ...of, artifactType: 'application/x-other' }),
  ]);
}

export function indexWithSubject(): Content {
  const subject = image();
  const children = [artifact({}), artifact({})];
  const fields = { artifactType: types.artifact, subject: describe(types.manifest, subject.manifest) };
  return tagged(
    [subject, ...children],
    [
      index(
        children.map((each) => each.manifest),
        fields,
      ),
    ],
  );
}

export function missing(): Json {
  return describe(types.manifest, noise(123));
}

export function sparseImage(): Content {
  const { blobs, manifest: own } = image();
  const [config, , ...rest] = blobs;
  return withTag({ blobs: [config, ...rest], manifests: [own] });
}

export function sparseIndex(): Content {
  const held = image();
  const entries = [describe(types.manifest, held.manifest), missing()];
  return tagged([held], [manifest(types.index, { manifests: entries })]);
}
