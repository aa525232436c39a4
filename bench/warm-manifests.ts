/**
 * Ten thousand manifests that are held already, asked for in no order: requests a second, with access logs.
 */
import type { Image } from '../test/support/images.ts';
import { MEDIA_TYPES } from '../test/support/images.ts';
import { images } from './support/contents.ts';
import type { Named } from './support/contents.ts';
import { Contest, PeerContent } from './support/contest.ts';
import { pathOf } from './support/subjects.ts';
import type { Server } from './support/subjects.ts';
import { count } from './support/suite.ts';
import type { Bench, Row, Suite } from './support/suite.ts';
import { startUpstream } from './support/upstream.ts';
import { generateLoad } from './support/wrk.ts';
import type { Load } from './support/wrk.ts';

const MANIFESTS = 10_000;
const CONNECTIONS = 32;

export const warmManifests: Suite = {
  name: 'warm-manifests',
  about: 'requests a second over 10,000 held manifests, by tag and by digest, access logs on',
  async run(bench) {
    if (!bench.machine.has('wrk')) throw new Error('this suite needs wrk: apt-get install wrk');
    const all = [...images(MANIFESTS)];
    const peers = new PeerContent(bench.directory);
    await layOut(all, peers);
    await using upstream = await startUpstream();
    await upstream.ask('publishImages', MANIFESTS);
    await using contest = await Contest.start(bench, { upstream: upstream.origin, peers });
    const tags = all.map(({ repository, tag }) => pathOf(repository, 'manifests', tag));
    const digests = all.map(({ repository, content }) => pathOf(repository, 'manifests', content.digest));
    bench.say('first requests');
    await warm(contest.subject, tags);
    await upstream.ask('reset', undefined);
    const rows = [
      ...(await measure(bench, contest, 'tag', tags)),
      ...(await measure(bench, contest, 'digest', digests)),
    ];
    const asked = await upstream.ask('count', {});
    const values = { [contest.subject.name]: asked };
    return [
      ...rows,
      { what: 'requests upstream meanwhile', unit: 'requests', values, bar: count(asked, { atMost: 0 }) },
    ];
  },
};

async function layOut(all: readonly Named<Image>[], peers: PeerContent): Promise<void> {
  for (const { repository, tag, content } of all) {
    await peers.layout.addManifest(repository, tag, content);
    await peers.link(pathOf(repository, 'manifests', tag), content.digest);
    await peers.link(pathOf(repository, 'manifests', content.digest), content.digest);
  }
}

/** wrk cannot be told to ask for each once, so this does. */
async function warm({ origin }: Server, paths: readonly string[]): Promise<void> {
  const left = paths.values();
  const client = async (): Promise<void> => {
    for (const path of left) {
      const response = await fetch(`${origin}${path}`, { headers: { accept: MEDIA_TYPES.oci.manifest } });
      await response.arrayBuffer();
      if (response.status !== 200) throw new Error(`GET ${path} says ${response.status}`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, client));
}

async function measure(
  { directory, short, say }: Bench,
  contest: Contest,
  by: string,
  paths: readonly string[],
): Promise<Row[]> {
  say(`by ${by}`);
  // Each once more, so that all rounds are alike.
  await warm(contest.subject, paths);
  const load = { paths: shuffled(paths), accept: MEDIA_TYPES.oci.manifest, connections: CONNECTIONS, directory };
  const turn = async ({ origin, name, group }: Server): Promise<Load & { readonly cpuUs: number }> => {
    const before = group.cpuSeconds();
    const seconds = short ? 3 : 10;
    const result = await generateLoad({ ...load, origin, seconds });
    if (result.failures > 0) throw new Error(`${name} failed ${result.failures} requests by ${by}`);
    const cpuSeconds = group.cpuSeconds() - before;
    return { ...result, cpuUs: (cpuSeconds * 1e6) / (result.requestsPerSecond * seconds) };
  };
  const results = await contest.rounds(short ? 3 : 5, turn);
  return [
    contest.row(results, `GET by ${by}`, 'requests/s', (each) => each.requestsPerSecond, { atLeast: 20 }),
    contest.row(results, `CPU of a GET by ${by}`, 'us/request', (each) => each.cpuUs),
    contest.row(results, `99 % of GETs by ${by} within`, 'ms', (each) => each.p99Ms),
  ];
}

/** The same order in every run: by a hash of the position (Knuth's multiplicative one). */
function shuffled(paths: readonly string[]): string[] {
  const keys = new Map(paths.map((path, position) => [path, Math.imul(position + 1, 2_654_435_761) >>> 0]));
  return paths.toSorted((a, b) => (keys.get(a) ?? 0) - (keys.get(b) ?? 0));
}
