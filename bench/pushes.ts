/**
 * What a push takes: one big blob, its last request, many images at once, many manifests.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Contest } from './support/contest.ts';
import { ddMs, syncMs } from './support/disk.ts';
import { Helper } from './support/helper.ts';
import type { PusherOperations } from './support/pushers-main.ts';
import { median } from './support/statistics.ts';
import type { Server } from './support/subjects.ts';
import { timing } from './support/suite.ts';
import type { Bench, Row, Suite } from './support/suite.ts';

type Pushers = Helper<PusherOperations>;

export const pushes: Suite = {
  name: 'pushes',
  about: 'pushes of 1 GiB, of 32 images at once, of manifests; the last request of 5 GiB (1 with --short)',
  async run(bench) {
    await using contest = await Contest.ofRegistries(bench);
    await using pushers = new Helper<PusherOperations>('./pushers-main.ts');
    return [
      ...(await bigBlob(bench, contest, pushers)),
      ...(await lastRequest(bench, contest, pushers)),
      ...(await manyImages(bench, contest, pushers)),
      ...(await manyManifests(bench, contest, pushers)),
    ];
  },
};

/** Of docker-registry's time, and of the disk's own: whichever is more. */
const ofRegistry = 0.4;
const ofDisk = 1.15;

interface Cost {
  readonly ms: number;
  readonly cpuSeconds: number;
}

async function bigBlob({ short, directory, say }: Bench, contest: Contest, pushers: Pushers): Promise<Row[]> {
  const disk: number[] = [];
  const turn = async (server: Server): Promise<Cost> => {
    // A virtual machine gives free memory back to its host, and has it again at three times the price of all that is done here:
    // paid beforehand by everybody, or else by whoever comes after a pause.
    await ddMs(directory, 1024);
    const before = server.group.cpuSeconds();
    const sent = await pushers.ask('send', { origin: server.origin, repository: 'local/big', size: 1024 });
    const ms = sent.ms + (await pushers.ask('finish', sent));
    const cpuSeconds = server.group.cpuSeconds() - before;
    await forget(contest, directory);
    if (server === contest.subject) disk.push(await ddMs(directory, 1024));
    return { ms, cpuSeconds };
  };
  say('1 GiB');
  const results = await contest.rounds(short ? 3 : 7, turn);
  const [ours = [], theirs] = contest.servers.map((server) => results.get(server));
  const ratios = ours.map(({ ms }, round) => {
    const allowed = Math.max(ofRegistry * (theirs?.[round]?.ms ?? NaN), ofDisk * (disk[round] ?? NaN));
    return ms / allowed;
  });
  const row = contest.row(results, '1 GiB, of what is allowed', 's', ({ ms }) => ms / 1000);
  const measured = theirs === undefined ? undefined : median(ratios);
  return [
    {
      ...row,
      values: { ...row.values, 'dd + sync': median(disk) / 1000 },
      bar: { kind: 'timing', of: 'ratio', measured, atMost: 1 },
    },
    contest.row(results, 'CPU, 1 GiB', 's/GiB', ({ cpuSeconds }) => cpuSeconds),
  ];
}

/**
 * What took others more than half a minute (moby#53700). What the sync takes is measured by doing it beforehand; what is left
 * of the request is all that it may take besides.
 */
async function lastRequest({ short, directory, say }: Bench, contest: Contest, pushers: Pushers): Promise<Row[]> {
  const gibibytes = short ? 1 : 5;
  say(`the last request of ${gibibytes} GiB`);
  const { subject } = contest;
  const size = gibibytes * 1024;
  const sent = await pushers.ask('send', { origin: subject.origin, repository: 'local/big', size });
  const sync = await syncMs(join(directory, 'subject/registry/entrepot/ingest'));
  const ms = await pushers.ask('finish', sent);
  await forget(contest, directory);
  const row = (what: string, value: number): Row => ({ what, unit: 'ms', values: { [subject.name]: value } });
  return [
    row(`sync of ${gibibytes} GiB when all has come`, sync),
    { ...row('last request beyond its sync', ms), bar: timing(ms, { atMost: 200 }) },
  ];
}

/** A server is measured as it is after its first images. */
const warmUps = 2;

/** Nothing is deleted between the rounds: a file system that is short of inodes it has not just freed takes longer for each. */
async function manyImages({ short, say }: Bench, contest: Contest, pushers: Pushers): Promise<Row[]> {
  const turn = async ({ origin, group }: Server): Promise<Cost> => {
    await contest.rest();
    const before = group.cpuSeconds();
    const ms = await pushers.ask('images', { origin, clients: 32, layers: 20, layerBytes: 100_000 });
    return { ms, cpuSeconds: group.cpuSeconds() - before };
  };
  say('32 images at once');
  await contest.rounds(warmUps, turn);
  const results = await contest.rounds(short ? 3 : 7, turn);
  await contest.rest();
  return [
    contest.row(results, '32 images of 20 layers at once', 's', ({ ms }) => ms / 1000, { atMost: 0.33 }),
    contest.row(results, 'CPU, 32 images', 's', ({ cpuSeconds }) => cpuSeconds),
  ];
}

async function manyManifests({ short, say }: Bench, contest: Contest, pushers: Pushers): Promise<Row[]> {
  say('manifests');
  const results = await contest.rounds(short ? 3 : 7, ({ origin }) =>
    pushers.ask('manifests', { origin, repository: 'local/manifests', count: short ? 500 : 2_000, clients: 16 }),
  );
  return [contest.row(results, 'PUT of a manifest and its tag', 'requests/s', (rate) => rate, { atLeast: 3 })];
}

/**
 * The disk is not measured by how much is on it. Neither server minds: nobody asks for it again. Ours may still be writing
 * manifests there for registry:2.
 */
async function forget(contest: Contest, directory: string): Promise<void> {
  for (const each of ['subject', contest.registry?.name ?? '']) {
    const blobs = join(directory, each, 'registry/docker/registry/v2/blobs');
    await rm(blobs, { recursive: true, force: true, maxRetries: 10 });
  }
}
