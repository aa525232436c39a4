/**
 * A page of a long list: our index has it in order, docker-registry walks a tree of directories.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeDigest } from '../src/index/sqlite/digests.ts';
import { openSqliteIndex } from '../src/index/sqlite/index.ts';
import { digestOf } from '../src/oci/digest.ts';
import { mediaTypes } from '../src/oci/media-types.ts';
import { Contest } from './support/contest.ts';
import { Helper } from './support/helper.ts';
import type { PusherOperations } from './support/pushers-main.ts';
import { timing } from './support/suite.ts';
import type { Bench, Row, Suite } from './support/suite.ts';

export const listings: Suite = {
  name: 'listings',
  about: 'a page of 100,000 tags, and of 100,000 repositories (a tenth for docker-registry with --short)',
  async run(bench) {
    bench.say('making them');
    await fillSubject(join(bench.directory, 'subject/registry'));
    await fillRegistry(join(bench.directory, 'docker-registry/registry'), bench.short ? entries / 10 : entries);
    await using contest = await Contest.ofRegistries(bench);
    await using askers = new Helper<PusherOperations>('./pushers-main.ts');
    bench.say('waiting until the volume has been looked at');
    await ready(`${contest.subject.origin}/v2/local/tags/tags/list?n=1`);
    return [
      await page(bench, contest, askers, 'tags', 'local/tags/tags/list?n=100&last=t050000'),
      await page(bench, contest, askers, 'repositories', '_catalog?n=100&last=local/r050000'),
    ];
  },
};

const entries = 100_000;
const readyMsMax = 120_000;

async function ready(url: string): Promise<void> {
  for (const until = performance.now() + readyMsMax; performance.now() < until; await sleep(200)) {
    const answer = await fetch(url);
    await answer.arrayBuffer();
    if (answer.status === 200) return;
  }
  throw new Error(`GET ${url} was not ready in time`);
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
  await contest.rounds(2, turn);
  const results = await contest.rounds(short ? 5 : 15, turn);
  const row = contest.row(results, `a page of ${entries} ${what}`, 'ms', (ms) => ms);
  return { ...row, bar: timing(row.values[contest.subject.name] ?? NaN, { atMost: 10 }) };
}

/** Goes around the contract, in one transaction: through it, it would take many minutes. */
async function fillSubject(root: string): Promise<void> {
  const directory = join(root, 'entrepot');
  await mkdir(directory, { recursive: true });
  // A volume that has links, so that a start does not write those of all that was never pushed.
  await mkdir(join(root, 'docker/registry/v2/repositories/local/linked/_layers'), { recursive: true });
  const path = join(directory, 'index.db');
  await (await openSqliteIndex({ path }))[Symbol.asyncDispose]();
  using database = new DatabaseSync(path);
  database.exec('PRAGMA synchronous = OFF; BEGIN');
  const bytes = Buffer.from('{}');
  database.prepare('INSERT INTO contents (id, digest) VALUES (1, ?)').run(encodeDigest(digestOf(bytes)));
  database
    .prepare('INSERT INTO manifests (content, media_type, bytes) VALUES (1, ?, ?)')
    .run(mediaTypes.ociManifest, bytes);
  const repository = database.prepare("INSERT INTO repositories (id, upstream, name, display) VALUES (?, '', ?, ?)");
  const held = database.prepare(
    'INSERT INTO held (repository, manifest, stored_at, last_used, hosted) VALUES (?, 1, 1, 1, 1)',
  );
  const tag = database.prepare('INSERT INTO tags (repository, name, manifest, checked_at) VALUES (1, ?, 1, 1)');
  for (const [at, name] of ['local/tags', ...names('local/r')].entries()) {
    repository.run(at + 1, name, name);
    held.run(at + 1);
  }
  for (const name of names('t')) tag.run(name);
  database.exec('COMMIT; PRAGMA wal_checkpoint(TRUNCATE)');
}

/** As much of the tree as listings look at. */
async function fillRegistry(root: string, count: number): Promise<void> {
  const repositories = join(root, 'docker/registry/v2/repositories');
  const make = (path: string): Promise<unknown> => mkdir(join(repositories, path), { recursive: true });
  await make('local/tags/_layers');
  for (const name of [...names('t')].slice(0, count)) await make(`local/tags/_manifests/tags/${name}`);
  for (const name of [...names('local/r')].slice(0, count)) await make(`${name}/_layers`);
}

function* names(prefix: string): Iterable<string> {
  for (let each = 0; each < entries; each += 1) yield `${prefix}${String(each).padStart(6, '0')}`;
}
