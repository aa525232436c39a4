/**
 * A big volume of registry:2, taken in and collected while clients pull. docker-registry collects while nobody pushes.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { CollectLine, StatisticsView } from '../src/admin/views.ts';
import { adminClient, ServerAway } from '../src/cli/admin-client.ts';
import type { AdminClient } from '../src/cli/admin-client.ts';
import { Helper } from './support/helper.ts';
import { MemoryWatch } from './support/memory-watch.ts';
import type { Pulled, PullOperations } from './support/pulls-main.ts';
import type { Server } from './support/subjects.ts';
import { count, ratio, timing } from './support/suite.ts';
import type { Bench, Row } from './support/suite.ts';
import type { Suite } from './support/suite.ts';
import { blobsPerRepository, fillVolume, loosePerRepository } from './support/volume-fill.ts';
import type { FilledVolume } from './support/volume-fill.ts';

export const collection: Suite = {
  name: 'collection',
  about: 'a volume of 1,000,000 blobs adopted, and 100,000 of them collected, while serving (a tenth with --short)',
  async run(bench) {
    const repositories = bench.short ? 100 : 1_000;
    bench.say(`making a volume of ${repositories * blobsPerRepository} blobs`);
    const registry = join(bench.directory, 'subject/registry');
    const filled = await fillVolume(registry, repositories);
    await using pulls = new Helper<PullOperations>('./pulls-main.ts');
    const measured = { bench, filled, pulls, registry };
    const adoption = await adopt(measured);
    age(join(registry, 'entrepot/index.db'));
    return [
      ...adoption,
      ...(await collect(measured, repositories * loosePerRepository)),
      ...(await peer(bench, repositories)),
    ];
  },
};

interface Measured {
  readonly bench: Bench;
  readonly filled: FilledVolume;
  readonly pulls: Helper<PullOperations>;
  readonly registry: string;
}

const clients = 8;
const pauseMs = 10;
const idleMs = 15_000;
const readyEveryMs = 250;

async function adopt({ bench, filled, pulls, registry }: Measured): Promise<Row[]> {
  bench.say('adopting it');
  await using subject = await startOn(bench);
  const startedAt = performance.now();
  const watch = new MemoryWatch(subject.group, 100);
  const pulled = await during(pulls, subject, filled, () => adopted(adminOf(registry)));
  watch[Symbol.dispose]();
  const row = rowOf(subject);
  return [
    row('adopting the volume', 's', (performance.now() - startedAt) / 1000),
    row('its processor time, pulls included', 's', subject.group.cpuSeconds()),
    { ...row('peak memory meanwhile', 'MiB', watch.peak), bar: timing(watch.peak, { atMost: 250 }) },
    row('pulls meanwhile, median', 'ms', pulled.median),
    row('pulls meanwhile, 99th percentile', 'ms', pulled.p99),
    row('pulls meanwhile, slowest', 'ms', pulled.slowest),
    failed(row, pulled),
  ];
}

async function collect({ bench, filled, pulls, registry }: Measured, loose: number): Promise<Row[]> {
  bench.say('starting on it again');
  await using subject = await startOn(bench);
  const admin = adminOf(registry);
  await adopted(admin);
  bench.say('pulling, and nothing else');
  const idle = await during(pulls, subject, filled, () => sleep(idleMs));
  bench.say(`collecting ${loose} blobs`);
  const startedAt = performance.now();
  let gone = 0;
  const busy = await during(pulls, subject, filled, async () => {
    gone = await collected(admin);
  });
  const row = rowOf(subject);
  return [
    row('collecting', 's', (performance.now() - startedAt) / 1000),
    { ...row('blobs collected', 'requests', gone), bar: count(gone, { atLeast: loose }) },
    row('pulls when idle, median', 'ms', idle.median),
    row('pulls when idle, 99th percentile', 'ms', idle.p99),
    row('pulls while collecting, median', 'ms', busy.median),
    {
      ...row('pulls while collecting, 99th percentile', 'ms', busy.p99),
      bar: ratio(busy.p99 / idle.p99, { atMost: 2 }),
    },
    row('pulls while collecting, slowest', 'ms', busy.slowest),
    failed(row, busy),
  ];
}

/** The same volume, which nobody may push to meanwhile. */
async function peer({ machine, directory, say }: Bench, repositories: number): Promise<Row[]> {
  if (!machine.has('docker-registry')) return [];
  say('the same for docker-registry');
  const setup = join(directory, 'docker-registry');
  const root = join(setup, 'registry');
  await fillVolume(root, repositories);
  // Started for its configuration.
  const server = await machine.startRegistry({ directory: setup }, root);
  await server?.stop();
  const startedAt = performance.now();
  const args = ['garbage-collect', join(setup, 'config.yml')];
  await promisify(execFile)('docker-registry', args, { maxBuffer: 1024 ** 3 });
  const seconds = (performance.now() - startedAt) / 1000;
  return [{ what: 'away for its collection', unit: 's', values: { entrepot: 0, 'docker-registry': seconds } }];
}

function startOn({ machine, directory }: Bench): Promise<Server> {
  return machine.startHost({ directory: join(directory, 'subject') });
}

function adminOf(registry: string): AdminClient {
  return adminClient(join(registry, 'entrepot/admin.sock'));
}

async function during(
  pulls: Helper<PullOperations>,
  { origin }: Server,
  { paths }: FilledVolume,
  run: () => Promise<void>,
): Promise<Pulled> {
  await pulls.ask('begin', { origin, paths, clients, pauseMs });
  await run();
  return pulls.ask('end', undefined);
}

async function adopted(admin: AdminClient): Promise<void> {
  for (;;) {
    if (await isAdopted(admin)) return;
    await sleep(readyEveryMs);
  }
}

/** Its socket is there a moment after its port. */
async function isAdopted(admin: AdminClient): Promise<boolean> {
  try {
    return (await admin.get<StatisticsView>('/v1/statistics')).adoption.state === 'done';
  } catch (error) {
    if (error instanceof ServerAway) return false;
    throw error;
  }
}

async function collected(admin: AdminClient): Promise<number> {
  for await (const line of admin.lines<CollectLine>('/v1/gc')) {
    if (line.type === 'failed') throw new Error(line.message);
    if (line.type === 'done') return line.blobs;
  }
  return Number.NaN;
}

/** As if nobody had touched anything for a long time. */
function age(path: string): void {
  using database = new DatabaseSync(path);
  database.exec('UPDATE members SET added_at = 1');
}

type MakeRow = (what: string, unit: Row['unit'], value: number) => Row;

function rowOf({ name }: Server): MakeRow {
  return (what, unit, value) => ({ what, unit, values: { [name]: value } });
}

function failed(row: MakeRow, { failures }: Pulled): Row {
  return { ...row('pulls that failed', 'failures', failures), bar: count(failures, { atMost: 0 }) };
}
