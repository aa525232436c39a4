/**
 * A page of a long list: our index has it in order, docker-registry walks a tree of directories.
 */
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { together } from '../src/store/filesystem/together.ts';
import { makeImage } from '../test/support/images.ts';
import { Contest } from './support/contest.ts';
import { Helper } from './support/helper.ts';
import type { PusherOperations } from './support/pushers-main.ts';
import { RegistryLayout } from './support/registry-layout.ts';
import { timing } from './support/suite.ts';
import type { Bench, Row, Suite } from './support/suite.ts';

export const listings: Suite = {
  name: 'listings',
  about: 'a page of 100,000 tags, and of 100,000 repositories, of an adopted volume (2,000 of each with --short)',
  async run(bench) {
    const count = bench.short ? 2_000 : 100_000;
    bench.say('making them');
    await fill(bench.directory, count);
    await using contest = await Contest.ofRegistries(bench);
    await using askers = new Helper<PusherOperations>('./pushers-main.ts');
    bench.say('waiting until the volume has been looked at');
    const [middle, before, last] = [count / 2, count - 2, count - 1].map(numbered);
    await ready(`${contest.subject.origin}/v2/local/tags/tags/list?n=1&last=t${before}`, `t${last}`);
    await ready(`${contest.subject.origin}/v2/_catalog?n=1&last=local/r${before}`, `local/r${last}`);
    return [
      await page(bench, contest, askers, `${count} tags`, `local/tags/tags/list?n=100&last=t${middle}`),
      await page(bench, contest, askers, `${count} repositories`, `_catalog?n=100&last=local/r${middle}`),
    ];
  },
};

const readyMsMax = 600_000;
const writtenTogether = 8;

/** Waits until the list that is there tells the name that comes last. */
async function ready(url: string, name: string): Promise<void> {
  for (const until = performance.now() + readyMsMax; performance.now() < until; await sleep(200)) {
    const answer = await fetch(url);
    if ((await answer.text()).includes(`"${name}"`)) return;
  }
  throw new Error(`GET ${url} did not tell ${name} in time`);
}

async function page(
  { short, say }: Bench,
  contest: Contest,
  askers: Helper<PusherOperations>,
  what: string,
  path: string,
): Promise<Row> {
  say(`a page of ${what}`);
  const turn = ({ origin }: { readonly origin: string }): Promise<number> => askers.ask('page', `${origin}/v2/${path}`);
  await contest.rounds(1, turn);
  const results = await contest.rounds(short ? 3 : 9, turn);
  const row = contest.row(results, `a page of ${what}`, 'ms', (ms) => ms);
  return { ...row, bar: timing(row.values[contest.subject.name] ?? NaN, { atMost: 10 }) };
}

/** One volume for both, as docker-registry leaves it. */
async function fill(directory: string, count: number): Promise<void> {
  const root = join(directory, 'subject/registry');
  const layout = new RegistryLayout(root);
  const image = makeImage();
  await together(['local/tags', ...names('local/r', count)], writtenTogether, async (repository) => {
    await layout.addBlob(repository, image.config);
    await layout.addManifest(repository, 'latest', image);
  });
  await together(names('t', count), writtenTogether, (tag) => layout.addManifest('local/tags', tag, image));
  const peer = join(directory, 'docker-registry/registry');
  await mkdir(peer, { recursive: true });
  await symlink(join(root, 'docker'), join(peer, 'docker'));
}

function* names(prefix: string, count: number): Iterable<string> {
  for (let each = 0; each < count; each += 1) yield prefix + numbered(each);
}

function numbered(each: number): string {
  return String(each).padStart(6, '0');
}
