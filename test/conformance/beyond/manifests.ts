/** Every kind of manifest: pushed, listed, read, referred to, deleted; and what is wrong with one. */
import assert from 'node:assert/strict';
import { deleted, isThere, put } from './blobs.ts';
import type { Check } from './blobs.ts';
import { artifact, describe, digestOf, image, index, literal, noise, types } from './content.ts';
import type { Algorithm, Content, Json, Manifest } from './content.ts';
import {
  withTag,
  tagged,
  indexed,
  nested,
  manyAnnotations,
  undistributed,
  withSubject,
  indexWithSubject,
  missing,
  sparseImage,
  sparseIndex,
} from './kinds.ts';
import { hasDigest, header } from './wire.ts';
import type { Repository, Wire } from './wire.ts';

const here: Repository = 'conformance/three';
const accept = { Accept: `${types.index}, ${types.manifest}` };

export function manifestChecks(): readonly Check[] {
  return [
    nothing(),
    tags(),
    whole('image', () => tagged([image()])),
    whole('image of 3.9 MB', () => tagged([image({ fields: { annotations: manyAnnotations() } })])),
    whole('image without layers', () => tagged([image({ layers: [] })])),
    whole('image with its content in its descriptors', () =>
      tagged([image({ inDescriptors: ({ bytes }) => ({ data: bytes.toString('base64') }) })]),
    ),
    whole('image with fields of its own', () => tagged([image({ fields: { 'org.example.own': 'x' } })])),
    whole('image with layers that are not distributed', undistributed),
    whole('index', () => indexed()),
    whole('index of nothing', () => withTag({ blobs: [], manifests: [index([])] })),
    whole('index of indexes', nested),
    whole('artifact', () => tagged([artifact({})])),
    whole('artifact without content', () => tagged([artifact({}, literal('{}'))])),
    whole('index of artifacts', () =>
      indexed('sha256', [artifact({}), artifact({})], { artifactType: types.artifact }),
    ),
    whole('artifacts with a subject', withSubject),
    whole('index with a subject', indexWithSubject),
    whole('artifact whose subject is not there', () => tagged([artifact({ subject: missing() })])),
    whole('image of which a layer is not there', sparseImage),
    whole('index of which a manifest is not there', sparseIndex),
    whole('index by sha512', () => ({ ...indexed('sha512'), tags: {} })),
    tagParameters('sha256'),
    tagParameters('sha512'),
    ...mistakes(),
  ];
}

function whole(name: string, make: () => Content): Check {
  return {
    name: `manifest: ${name}`,
    run: async (wire) => {
      const content = make();
      for (const blob of content.blobs) await put(wire, here, blob);
      for (const each of content.manifests) await putManifest(wire, each, each.digest);
      for (const [tag, digest] of Object.entries(content.tags)) await putManifest(wire, found(content, digest), tag);
      await read(wire, content);
      await deleteAll(wire, content);
    },
  };
}

function found({ manifests }: Content, digest: string): Manifest {
  const it = manifests.find((each) => each.digest === digest);
  assert.ok(it !== undefined);
  return it;
}

async function putManifest(
  wire: Wire,
  each: Manifest,
  reference: string,
  names: readonly string[] = [],
): Promise<void> {
  const sent = { headers: { 'Content-Type': each.mediaType }, query: { tag: names }, body: each.bytes };
  const answer = await wire.ask('PUT', `/v2/${here}/manifests/${reference}`, 201, sent);
  hasDigest(answer, each.digest);
  if (each.subject !== undefined) assert.equal(header(answer, 'oci-subject'), each.subject);
  const told = names.length === 0 ? [] : header(answer, 'oci-tag').split(',');
  assert.deepEqual(new Set(told.map((tag) => tag.trim())), new Set(names));
  await isManifest(wire, each, header(answer, 'location'));
}

async function isManifest(wire: Wire, { digest, mediaType, bytes }: Manifest, target: string): Promise<void> {
  for (const method of ['HEAD', 'GET']) {
    const answer = await wire.ask(method, target, 200, { headers: accept });
    hasDigest(answer, digest);
    assert.equal(header(answer, 'content-type'), mediaType);
    assert.equal(header(answer, 'content-length'), String(bytes.length));
    assert.deepEqual(answer.body, method === 'GET' ? bytes : Buffer.alloc(0));
  }
}

async function read(wire: Wire, content: Content): Promise<void> {
  for (const [tag, digest] of Object.entries(content.tags))
    await isManifest(wire, found(content, digest), `/v2/${here}/manifests/${tag}`);
  for (const each of content.manifests) await isManifest(wire, each, `/v2/${here}/manifests/${each.digest}`);
  for (const blob of content.blobs) await isThere(wire, here, blob);
  const subjects = new Set(content.manifests.flatMap(({ subject }) => subject ?? []));
  for (const subject of subjects)
    await listsReferrers(
      wire,
      subject,
      content.manifests.filter((each) => each.subject === subject),
    );
}

/** Two tags of one manifest: listed, listed from the second on, and deleted one by one. */
function tags(): Check {
  const list = async (wire: Wire, query: Readonly<Record<string, string>> = {}): Promise<readonly string[]> => {
    const answer = await wire.ask('GET', `/v2/${here}/tags/list`, [200, 404], { query });
    const content = JSON.parse(answer.body.toString()) as { readonly tags?: readonly string[] | null };
    return content.tags ?? [];
  };
  return {
    name: 'tags: listed, listed from the second on, limited, and deleted one by one',
    run: async (wire) => {
      const content = withTag({ blobs: [], manifests: [index([])] });
      const [own] = content.manifests;
      const [first = '', second = ''] = Object.keys(content.tags);
      assert.ok(own !== undefined);
      for (const tag of [first, second]) await putManifest(wire, own, tag);
      assert.deepEqual(
        (await list(wire)).filter((tag) => tag.startsWith(first)),
        [first, second],
      );
      const after = await list(wire, { last: first });
      assert.deepEqual([after.includes(first), after.includes(second)], [false, true]);
      assert.equal((await list(wire, { n: '1' })).length, 1);
      await deleteManifest(wire, first);
      await isManifest(wire, own, `/v2/${here}/manifests/${second}`);
      await isManifest(wire, own, `/v2/${here}/manifests/${own.digest}`);
      assert.ok(!(await list(wire)).includes(first));
      await deleteManifest(wire, own.digest);
      await wire.ask('HEAD', `/v2/${here}/manifests/${second}`, 404);
    },
  };
}

type Listed = Json & { readonly digest: string; readonly artifactType?: string };

async function referrers(wire: Wire, subject: string, artifactType?: string): Promise<readonly Listed[]> {
  const query = artifactType === undefined ? {} : { artifactType };
  const answer = await wire.ask('GET', `/v2/${here}/referrers/${subject}`, 200, { query });
  assert.equal(header(answer, 'content-type'), types.index);
  if (artifactType !== undefined) assert.equal(header(answer, 'oci-filters-applied'), 'artifactType');
  const list = JSON.parse(answer.body.toString()) as Json & { readonly manifests: readonly Listed[] };
  assert.deepEqual([list['schemaVersion'], list['mediaType']], [2, types.index]);
  return list.manifests;
}

async function listsReferrers(wire: Wire, subject: string, expected: readonly Manifest[]): Promise<void> {
  const all = await referrers(wire, subject);
  for (const each of expected) {
    const { mediaType, artifactType, annotations } = each;
    const goal = describe(mediaType, each, { artifactType, ...(annotations === undefined ? {} : { annotations }) });
    assert.deepEqual(
      all.find(({ digest }) => digest === each.digest),
      goal,
    );
  }
  for (const type of new Set(expected.flatMap(({ artifactType }) => artifactType ?? []))) {
    const listed = (await referrers(wire, subject, type)).map(({ digest }) => digest);
    const goal = expected.filter(({ artifactType }) => artifactType === type).map(({ digest }) => digest);
    assert.deepEqual(new Set(listed), new Set(goal));
  }
}

/** Tags go with their manifest. */
async function deleteAll(wire: Wire, { tags: named, manifests, blobs }: Content): Promise<void> {
  for (const { digest } of manifests.toReversed()) await deleteManifest(wire, digest);
  for (const tag of Object.keys(named)) await wire.ask('HEAD', `/v2/${here}/manifests/${tag}`, 404);
  for (const blob of blobs) await deleted(wire, here, blob);
}

async function deleteManifest(wire: Wire, reference: string): Promise<void> {
  await wire.ask('DELETE', `/v2/${here}/manifests/${reference}`, 202);
  await wire.ask('HEAD', `/v2/${here}/manifests/${reference}`, 404);
}

/** `PUT manifests/<digest>?tag=a&tag=b`: the only way to give a manifest with another digest than sha256 a tag. */
function tagParameters(algorithm: Algorithm): Check {
  return {
    name: `manifest: tags as parameters, ${algorithm}`,
    run: async (wire) => {
      const content = indexed(algorithm);
      for (const blob of content.blobs) await put(wire, here, blob);
      for (const each of content.manifests) {
        const names = Object.keys(content.tags).filter((tag) => content.tags[tag] === each.digest);
        await putManifest(wire, each, each.digest, names);
      }
      await read(wire, content);
      await deleteAll(wire, content);
    },
  };
}

function nothing(): Check {
  return {
    name: 'referrers and tags of a repository that nobody has pushed to',
    run: async (wire) => {
      const target = '/v2/conformance/nothing';
      await wire.ask('GET', `${target}/tags/list`, [200, 404]);
      const answer = await wire.ask('GET', `${target}/referrers/${noise(10).digest}`, 200);
      assert.equal(header(answer, 'content-type'), types.index);
      const { manifests } = JSON.parse(answer.body.toString()) as { readonly manifests: readonly unknown[] };
      assert.deepEqual(manifests, []);
    },
  };
}

function mistakes(): readonly Check[] {
  const manifestAt = (reference: string): string => `/v2/${here}/manifests/${reference}`;
  return [
    {
      name: 'manifest: other bytes than its digest are refused',
      run: async (wire) => {
        const { blobs, manifest: own } = image();
        for (const blob of blobs) await put(wire, here, blob);
        const body = Buffer.concat([own.bytes, Buffer.from('  ')]);
        assert.notEqual(digestOf(body), own.digest);
        for (const reference of [own.digest, 'sha256:baddigeststring'])
          await wire.ask('PUT', manifestAt(reference), 400, { headers: { 'Content-Type': types.manifest }, body });
        await wire.ask('GET', manifestAt(own.digest), 404, { headers: accept });
        for (const blob of blobs) await deleted(wire, here, blob);
      },
    },
    {
      name: 'manifest: none by an unknown digest, an unknown tag, or what is no digest',
      run: async (wire) => {
        await wire.ask('GET', manifestAt(noise(10).digest), 404, { headers: accept });
        await wire.ask('GET', manifestAt('missing'), 404, { headers: accept });
        await wire.ask('GET', manifestAt('sha256:baddigeststring'), [400, 404], { headers: accept });
      },
    },
  ];
}
