/**
 * Anonymous memory of the whole process group: idle, under two hundred clients, by the size of a blob, over time.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Helper } from './support/helper.ts';
import { MemoryWatch } from './support/memory-watch.ts';
import type { ReaderOperations, Visitor } from './support/readers-main.ts';
import { GIB, MIB } from './support/statistics.ts';
import { pathOf } from './support/subjects.ts';
import { count, timing } from './support/suite.ts';
import type { Bench, Row, Suite } from './support/suite.ts';
import { startUpstream } from './support/upstream.ts';
import type { Upstream } from './support/upstream.ts';

const REPOSITORY = 'bench/memory';
const SLOW_BYTES_PER_SECOND = 1_000_000;
/** What cold blobs take on the disk, however long this lasts: there is always something to evict. */
const SETTINGS = { cache: { size: '16GB' } };
/** Who serves and who is asked share few processors with two hundred clients: an answer may take its time. */
const upstreamSettings = { timeouts: { connect: '60s', headers: '60s', stall: '120s' } };
/** Cold clients, fast and slow ones, come in so many groups that want the same blob. */
const GROUPS = 5;

export const memory: Suite = {
  name: 'memory',
  about: '200 clients reading blobs of 1 GiB, half of them cold, half of them at 1 MB/s',
  async run(bench) {
    await using upstream = await startUpstream();
    return [...(await bySize(bench, upstream)), ...(await crowded(bench, upstream))];
  },
};

/** The same number of bytes, cold, in blobs of 64 MiB and in one of 1 GiB, each from a server that has just started. */
async function bySize({ machine, directory, say }: Bench, upstream: Upstream): Promise<Row[]> {
  const peaks: number[] = [];
  let name = '';
  for (const [size, blobs] of [
    [64 * MIB, 16],
    [GIB, 1],
  ] as const) {
    say(`${blobs} cold blobs of ${size / MIB} MiB`);
    const digests = await upstream.ask('publishFamily', { repository: REPOSITORY, size, count: blobs });
    await using subject = await machine.startSubject({ directory: `${directory}/${size}`, upstream: upstream.origin });
    await using readers = new Helper<ReaderOperations>('./readers-main.ts');
    using watch = new MemoryWatch(subject.group, 20);
    for (const digest of digests)
      await readers.ask('once', { url: `${subject.origin}${pathOf(REPOSITORY, 'blobs', digest)}`, clients: 10 });
    peaks.push(watch.peak);
    name = subject.name;
  }
  const [small = NaN, big = NaN] = peaks;
  return [
    { what: 'peak, blobs of 64 MiB', unit: 'MiB', values: { [name]: small } },
    { what: 'peak, a blob of 1 GiB', unit: 'MiB', values: { [name]: big } },
    {
      what: 'growth with size',
      unit: 'MiB',
      values: { [name]: big - small },
      bar: timing(big - small, { atMost: 32 }),
    },
  ];
}

async function crowded({ short, machine, directory, say }: Bench, upstream: Upstream): Promise<Row[]> {
  const digests = await upstream.ask('publishFamily', { repository: REPOSITORY, size: GIB, count: short ? 100 : 500 });
  const options = { directory: `${directory}/crowd`, upstream: upstream.origin, settings: SETTINGS, upstreamSettings };
  await using subject = await machine.startSubject(options);
  await using readers = new Helper<ReaderOperations>('./readers-main.ts');
  await sleep(3000);
  const idle = subject.group.anonymousBytes() / MIB;
  const urls = digests.map((digest) => `${subject.origin}${pathOf(REPOSITORY, 'blobs', digest)}`);
  const [warm = '', ...cold] = urls;
  await readers.ask('again', { url: warm, times: 1 });
  const seconds = short ? 45 : 600;
  say(`200 clients for ${seconds} s`);
  await upstream.ask('reset', undefined);
  using watch = new MemoryWatch(subject.group, 100);
  const flow = await readers.ask('meanwhile', { visitors: crowd(warm, cold), ms: seconds * 1000 });
  const { name } = subject;
  const row = (what: string, value: number, atMost: number): Row => ({
    what,
    unit: 'MiB',
    values: { [name]: value },
    bar: timing(value, { atMost }),
  });
  for (const failure of flow.failures) say(`failed: ${failure}`);
  if (flow.failures.length > 0) say(`what the server said last:\n${await lastOf(subject.log)}`);
  const failures = flow.failures.length;
  return [
    row('idle', idle, 130),
    row('peak, 200 clients', watch.peak, 250),
    row('growth with time', watch.growth, 32),
    { what: 'served meanwhile', unit: 'GB/s', values: { [name]: flow.bytes / flow.ms / 1e6 } },
    { what: 'blobs finished', unit: 'requests', values: { [name]: flow.finished } },
    { what: 'blobs broken off', unit: 'failures', values: { [name]: failures }, bar: count(failures, { atMost: 0 }) },
  ];
}

async function lastOf(log: string): Promise<string> {
  const lines = (await readFile(log, 'utf8')).trimEnd().split('\n');
  return lines
    .filter((line) => /level=(?:warn|error)/.test(line))
    .slice(-20)
    .join('\n');
}

function crowd(warm: string, cold: readonly string[]): Visitor[] {
  const slow = { bytesPerSecond: SLOW_BYTES_PER_SECOND };
  const ofGroup = (group: number): string[] => cold.filter((_, position) => position % (2 * GROUPS) === group);
  return Array.from({ length: 50 }, (_, number): Visitor[] => [
    { urls: [warm] },
    { urls: [warm], ...slow },
    { urls: ofGroup(number % GROUPS) },
    { urls: ofGroup(GROUPS + (number % GROUPS)), ...slow },
  ]).flat();
}
