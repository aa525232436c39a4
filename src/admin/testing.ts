import { requestDone } from '../../test/support/request-done.ts';
import type { Adoption } from '../adopt/adoption.ts';
import type { Cache, DownloadView, PurgeReport, WarmOptions, WarmReport } from '../cache/contract.ts';
import type { Certificates } from '../certificates/certificates.ts';
import { createCollect } from '../collect/collect.ts';
import { loadConfig } from '../config/load.ts';
import { Settings } from '../settings.ts';
import { placeOfImage } from '../registry/place-of-image.ts';
import type { Config } from '../config/config.ts';
import type { Handler, Reply, Request } from '../http/message.ts';
import { noBody } from '../http/request-body.ts';
import type { Index } from '../index/contract.ts';
import { openSqliteIndex } from '../index/sqlite/index.ts';
import type { Clock } from '../observe/clock.ts';
import type { Event } from '../observe/events.ts';
import { digestOf } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { mediaTypes } from '../oci/media-types.ts';
import { parseManifest } from '../oci/manifest.ts';
import type { Manifest } from '../oci/manifest.ts';
import { parseRepositoryName, parseTag } from '../oci/reference.ts';
import type { Reference } from '../oci/reference.ts';
import type { RepositoryKey } from '../oci/repository.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { createMemoryStore } from '../store/memory/store.ts';
import type { Upstream, UpstreamStatus, Upstreams } from '../upstream/contract.ts';
import { createAdmin } from './admin.ts';

/** For this room's tests: the admin API over a real index and store, and a cache and upstreams that only play. */
export interface Stage extends AsyncDisposable {
  readonly index: Index;
  readonly store: BlobStore;
  readonly cache: PlayCache;
  readonly events: Event[];
  readonly statuses: Map<string, Partial<UpstreamStatus>>;
  get(path: string): Promise<unknown>;
  post(path: string): Promise<unknown>;
  /** The error's code and message. */
  refused(method: string, path: string): Promise<string>;
  hold(name: string, tag: string | undefined, options?: HoldOptions): Promise<Manifest>;
  /** An index of manifests that are held already. */
  holdIndex(name: string, tag: string, children: readonly Manifest[]): Promise<Manifest>;
}

export interface HoldOptions {
  readonly atMs?: number;
  /** How many of its blobs rest in the store. Default: all. */
  readonly blobs?: number;
  readonly layers?: readonly string[];
}

export interface PlayCache extends Cache {
  arriving: DownloadView[];
  readonly calls: string[];
  onWarm: (options: WarmOptions) => Promise<WarmReport>;
}

const playCertificates: Certificates = {
  tls: undefined,
  interception: undefined,
  authorities: [],
  reload: async () => {},
  renew: () => Promise.reject(new Error('there is none')),
  [Symbol.asyncDispose]: async () => {},
};

export async function stage(directory: string, clock: Clock, yaml = 'version: 0.1\n'): Promise<Stage> {
  const loaded = await loadConfig({ text: yaml, env: {} });
  const { config } = loaded;
  const { routing } = new Settings(loaded);
  const index = await openSqliteIndex({ path: `${directory}/index.db` });
  const store = createMemoryStore({ bytesMax: 1_000_000 });
  const cache = playCache();
  const statuses = new Map<string, Partial<UpstreamStatus>>();
  const events: Event[] = [];
  const around = { store, index, clock, observer: { emit: (event: Event) => void events.push(event) } };
  const isPushed = async (name: string) => (await index.repositories.manifests(keyOf(name), 1)).length > 0;
  const handler = createAdmin({
    ...around,
    version: '1.2.3',
    cache,
    adoption: adopted,
    collect: createCollect({
      ...around,
      holder: 'tester',
      isGone: () => false,
      everyMs: Infinity,
      random: () => 0,
      rules: () => ({ graceMs: 0, untaggedMs: undefined, notNow: undefined, byItself: true }),
    }),
    upstreams: playUpstreams(config, statuses),
    findRepository: async (name) => (await placeOfImage(name, routing, isPushed)).key,
    certificates: playCertificates,
    metrics: { upstreamTotals: async () => [] },
    config: () => config,
    configRows: () => [{ key: 'log.level', value: 'info', origin: 'default' }],
    accepting: () => true,
    failure: (error) => failureReply(error),
  });
  return {
    index,
    store,
    cache,
    events,
    statuses,
    get: async (path) => answerOf(await handler(requestFor('GET', path))),
    post: async (path) => answerOf(await handler(requestFor('POST', path))),
    refused: async (method, path) => refusalOf(handler, method, path),
    hold: async (name, tag, options) => hold(index, clock, name, tag, options),
    holdIndex: async (name, tag, children) => {
      const manifest = indexOf(children);
      await index.manifests.put(keyOf(name), manifest, clock.now());
      await index.tags.point(keyOf(name), parseTag(tag), manifest.digest, clock.now());
      return manifest;
    },
    [Symbol.asyncDispose]: async () => index[Symbol.asyncDispose](),
  };
}

/** There is no volume to read. */
export const adopted: Pick<Adoption, 'progress'> = {
  progress: { state: 'done', repositories: 0, manifests: 0, blobs: 0, dangling: 0, troubles: 0 },
};

/** Without a registry in front: hosted here. */
export function keyOf(name: string): RepositoryKey {
  const slash = name.indexOf('/');
  if (!name.slice(0, Math.max(slash, 0)).includes('.')) return { upstream: undefined, name: parseRepositoryName(name) };
  return { upstream: name.slice(0, slash), name: parseRepositoryName(name.slice(slash + 1)) };
}

export function requestFor(method: string, url: string): Request {
  return {
    id: 'r1',
    method,
    url,
    headers: {},
    host: 'admin',
    scheme: 'http',
    clientPort: undefined,
    clientAddress: '',
    clientCertificate: undefined,
    via: undefined,
    gone: new AbortController().signal,
    body: noBody,
    notes: { ...requestDone({}) },
  };
}

export async function textOf({ body }: Reply): Promise<string> {
  if (body.kind === 'bytes') return Buffer.from(body.bytes).toString();
  if (body.kind !== 'stream') return '';
  let text = '';
  for await (const chunk of body.chunks) text += chunk;
  return text;
}

async function answerOf(reply: Reply): Promise<unknown> {
  const text = await textOf(reply);
  if (reply.status !== 200) throw new Error(`${reply.status} ${text}`);
  if (reply.body.kind !== 'stream') return JSON.parse(text);
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}

async function refusalOf(handler: Handler, method: string, path: string): Promise<string> {
  const reply = await handler(requestFor(method, path));
  if (reply.status === 200) throw new Error('it was not refused');
  return textOf(reply);
}

function failureReply(error: unknown): Reply {
  const text = error instanceof RegistryError ? `${error.code} ${error.message}` : `BUG ${String(error)}`;
  return { status: 400, headers: {}, body: { kind: 'bytes', bytes: Buffer.from(text) } };
}

async function hold(
  index: Index,
  clock: Clock,
  name: string,
  tag: string | undefined,
  { atMs = clock.now(), blobs, layers = ['layer'] }: HoldOptions = {},
): Promise<Manifest> {
  const key = keyOf(name);
  const contents = ['{}', ...layers.map((layer) => `${name} ${layer}`)];
  const manifest = imageOf(contents);
  await index.manifests.put(key, manifest, atMs);
  if (tag !== undefined) await index.tags.point(key, parseTag(tag), manifest.digest, atMs);
  for (const content of contents.slice(0, blobs ?? contents.length)) await rest(index, key, content, atMs);
  return manifest;
}

async function rest(index: Index, key: RepositoryKey, content: string, atMs: number): Promise<void> {
  const digest = digestOf(content);
  await index.blobs.addMember(key, digest, atMs);
  const lease = await index.leases.acquire(`blob ${digest}`, 'test', 1000, atMs);
  if (lease === undefined) return;
  await index.blobs.store(digest, content.length, lease, atMs);
  await index.leases.release(lease, '');
}

function imageOf([config = '{}', ...layers]: readonly string[]): Manifest {
  const described = (content: string, mediaType: string) => ({
    mediaType,
    digest: digestOf(content),
    size: content.length,
  });
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: described(config, 'application/vnd.oci.image.config.v1+json'),
    layers: layers.map((layer) => described(layer, 'application/vnd.oci.image.layer.v1.tar')),
  });
  return parseManifest(Buffer.from(text), '');
}

function indexOf(children: readonly Manifest[]): Manifest {
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: children.map(({ digest, size, mediaType }) => ({ digest, size, mediaType })),
  });
  return parseManifest(Buffer.from(text), '');
}

function playCache(): PlayCache {
  const calls: string[] = [];
  const text = ({ upstream, name }: RepositoryKey, reference: Reference | undefined) =>
    `${upstream}/${name} ${reference ?? 'whole'}`;
  const purged: PurgeReport = { manifests: 1, tags: 2, blobs: 3, bytes: 400 };
  return {
    calls,
    arriving: [],
    onWarm: () => Promise.reject(new Error('not expected')),
    repository: () => {
      throw new Error('not expected');
    },
    downloads() {
      return this.arriving;
    },
    async warm(key, reference, options) {
      calls.push(
        `warm ${text(key, reference)} ${options.platforms.join()}${options.verify ? ' verify' : ''} ${options.ask.asker.kind}`,
      );
      return this.onWarm(options);
    },
    async refresh(key, tag) {
      calls.push(`refresh ${text(key, tag)}`);
      const digest: Digest = digestOf('new');
      return { value: { digest, size: 1, mediaType: '' }, outcome: 'revalidated', ageSeconds: 0 };
    },
    async purge(key, reference) {
      calls.push(`purge ${text(key, reference)}`);
      return purged;
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

function playUpstreams({ upstreams }: Config, statuses: Map<string, Partial<UpstreamStatus>>): Upstreams {
  const all = upstreams.map(({ name, url, credentials }): Upstream => {
    const status = (): UpstreamStatus => ({
      name,
      url,
      circuit: 'closed',
      lastError: undefined,
      limit: undefined,
      transfers: 0,
      ...statuses.get(name),
    });
    return {
      name,
      url,
      hasCredentials: credentials.kind !== 'none',
      status,
      check: async () => status(),
      relay: async () => {
        throw new Error('not expected');
      },
      upgrade: async () => {
        throw new Error('not expected');
      },
      repository: () => {
        throw new Error('explaining and listing ask no upstream');
      },
    };
  });
  const aliases = new Map(upstreams.flatMap((each) => [each.name, ...each.aliases].map((name) => [name, each.name])));
  return {
    find: (host) => all.find(({ name }) => name === aliases.get(host)),
    list: () => all,
    close: async () => {},
  };
}
