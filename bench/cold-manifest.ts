/**
 * What a miss adds to the upstream's own time, and how many requests a cold pull costs upstream.
 */
import { get, head, keepAlive } from '../test/support/client.ts';
import type { Answer } from '../test/support/client.ts';
import { CountingUpstream } from '../test/support/counting-upstream.ts';
import { makeImage, makeIndex, MEDIA_TYPES } from '../test/support/images.ts';
import { pull } from '../test/support/pull.ts';
import { images, UPSTREAM } from './support/contents.ts';
import { median, percentile } from './support/statistics.ts';
import { pathOf } from './support/subjects.ts';
import type { Server } from './support/subjects.ts';
import { count, timing } from './support/suite.ts';
import type { Bench, Row, Suite } from './support/suite.ts';
import { startUpstream } from './support/upstream.ts';

/** Long enough that a second request upstream, where one would do, cannot hide. */
const UPSTREAM_LATENCY_MS = 20;

export const coldManifest: Suite = {
  name: 'cold-manifest',
  about: `cold manifests from an upstream that takes ${UPSTREAM_LATENCY_MS} ms; requests of a cold pull`,
  async run(bench) {
    return [...(await addedTime(bench)), ...(await requestsOfAPull(bench))];
  },
};

/** Every manifest is asked for once directly and once through the cache, in turns, over connections that are kept. */
async function addedTime({ short, machine, directory, say }: Bench): Promise<Row[]> {
  const all = [...images(short ? 300 : 1500)];
  await using upstream = await startUpstream({ latencyMs: UPSTREAM_LATENCY_MS });
  await upstream.ask('publishImages', all.length);
  await using subject = await machine.startSubject({ directory: `${directory}/time`, upstream: upstream.origin });
  using agent = keepAlive();
  const options = { agent, headers: { accept: MEDIA_TYPES.oci.manifest } };
  const times: Record<Kind, Times> = {
    'GET of a tag': new Times(),
    'HEAD of a tag': new Times(),
    'GET after it': new Times(),
  };
  say(`${all.length} manifests`);
  for (const [position, { repository, tag, content }] of all.entries()) {
    const byTag = pathOf(repository, 'manifests', tag);
    const byDigest = pathOf(repository, 'manifests', content.digest);
    const both = (kind: Kind, ask: typeof get, path: string): Promise<void> =>
      times[kind].measure(upstream.origin, subject.origin, (origin) => ask(`${origin}${path}`, options));
    if (position % 2 === 0) await both('GET of a tag', get, byTag);
    else {
      await both('HEAD of a tag', head, byTag);
      await both('GET after it', get, byDigest);
    }
  }
  return Object.entries(times).flatMap(([what, measured]) => measured.rows(what, subject));
}

type Kind = 'GET of a tag' | 'HEAD of a tag' | 'GET after it';

class Times {
  readonly #direct: number[] = [];
  readonly #through: number[] = [];

  async measure(upstream: string, subject: string, ask: (origin: string) => Promise<Answer>): Promise<void> {
    this.#direct.push(await timed(() => ask(upstream)));
    this.#through.push(await timed(() => ask(subject)));
  }

  rows(what: string, { name }: Server): Row[] {
    const added = this.#through.map((ms, position) => ms - (this.#direct[position] ?? NaN));
    const row = (which: string, of: (values: readonly number[]) => number): Row => ({
      what: `${what}, ${which}`,
      unit: 'ms',
      values: { [name]: of(this.#through), direct: of(this.#direct) },
      bar: timing(of(added), { atMost: 10 }),
    });
    return [row('median', median), row('99 %', (values) => percentile(values, 0.99))];
  }
}

async function timed(ask: () => Promise<Answer>): Promise<number> {
  const startedAt = performance.now();
  const { status } = await ask();
  if (status !== 200) throw new Error(`the answer was ${status}`);
  return performance.now() - startedAt;
}

/** Token service, delivery network, an index of two platforms: all that a cold pull may have to do with. */
async function requestsOfAPull({ machine, directory, say }: Bench): Promise<Row[]> {
  await using upstream = await CountingUpstream.start({ auth: { kind: 'bearer', realm: 'other' }, blobRedirects: {} });
  const amd64 = makeImage({ seed: 'pull', layers: [3_000_000, 200_000, 5000] });
  const arm64 = makeImage({ seed: 'pull', platform: 'linux/arm64' });
  upstream.publish('bench/pull:1', makeIndex([amd64, arm64]));
  const realms = [new URL(upstream.originOf('token')).host];
  await using subject = await machine.startSubject({
    directory: `${directory}/requests`,
    upstream: upstream.origin,
    upstreamSettings: { realms, dial: ['127.0.0.1'] },
  });
  using agent = keepAlive();
  say('one cold pull');
  await pull(subject.origin, 'bench/pull', '1', { ns: UPSTREAM, agent });
  const { name } = subject;
  const row = (what: string, requests: number, atMost: number): Row => ({
    what,
    unit: 'requests',
    values: { [name]: requests },
    bar: count(requests, { atMost }),
  });
  const blobs = [amd64.config, ...amd64.layers];
  const again = blobs.reduce((sum, { digest, size }) => sum + Math.max(0, upstream.blobBytes(digest).sent - size), 0);
  return [
    row('token requests', upstream.count({ host: 'token' }), 1),
    row('HEADs of the tag', upstream.count({ method: 'HEAD', path: '/manifests/1', status: 200 }), 1),
    row('GETs of two manifests', upstream.count({ method: 'GET', path: '/manifests/', status: 200 }), 2),
    { what: 'blob bytes fetched again', unit: 'bytes', values: { [name]: again }, bar: count(again, { atMost: 0 }) },
  ];
}
