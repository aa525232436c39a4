/**
 * Fifty clients who want the same cold blob at once, and an upstream whose line is narrow.
 */
import { Helper } from './support/helper.ts';
import type { Arrival, ReaderOperations } from './support/readers-main.ts';
import { MIB } from './support/statistics.ts';
import { pathOf } from './support/subjects.ts';
import { count, timing } from './support/suite.ts';
import type { Row, Suite } from './support/suite.ts';
import { startUpstream } from './support/upstream.ts';

const BLOB = { repository: 'bench/stampede', size: 256 * MIB, seed: 'stampede' } as const;
/** What a server that has just started does for the first time, it does slowly. */
const BEFORE = { repository: 'bench/before', size: 16 * MIB, seed: 'before' } as const;
const CLIENTS = 50;
const WITHIN_MS = 50;
const BYTES_PER_SECOND = 40_000_000;

export const stampede: Suite = {
  name: 'stampede',
  about: '50 cold clients within 50 ms, one blob of 256 MiB, an upstream of 40 MB/s in all',
  async run({ machine, directory, say }) {
    await using upstream = await startUpstream({ bytesPerSecond: BYTES_PER_SECOND });
    const digest = await upstream.ask('publishBlob', BLOB);
    const path = pathOf(BLOB.repository, 'blobs', digest);
    await using readers = new Helper<ReaderOperations>('./readers-main.ts');
    await using subject = await machine.startSubject({ directory, upstream: upstream.origin });
    say('a crowd before');
    const before = await upstream.ask('publishBlob', BEFORE);
    const pathBefore = pathOf(BEFORE.repository, 'blobs', before);
    await readers.ask('once', { url: `${subject.origin}${pathBefore}`, clients: CLIENTS, withinMs: WITHIN_MS });
    say('one direct download');
    const [direct] = await readers.ask('once', { url: `${upstream.origin}${path}`, clients: 1 });
    await upstream.ask('reset', undefined);
    say(`${CLIENTS} clients`);
    const startedWith = subject.group.cpuSeconds();
    const crowd = { url: `${subject.origin}${path}`, clients: CLIENTS, withinMs: WITHIN_MS };
    const arrivals = await readers.ask('once', crowd);
    const cpuSeconds = subject.group.cpuSeconds() - startedWith;
    const { sent } = await upstream.ask('blobBytes', digest);
    return rowsOf(subject.name, direct?.endMs ?? NaN, arrivals, sent, cpuSeconds);
  },
};

function rowsOf(name: string, directMs: number, arrivals: readonly Arrival[], sent: number, cpuSeconds: number): Row[] {
  const firstBytes = arrivals.map(({ firstByteMs }) => firstByteMs);
  const spreadMs = Math.max(...firstBytes) - Math.min(...firstBytes);
  const lastMs = Math.max(...arrivals.map(({ endMs }) => endMs));
  const failures = arrivals.filter(
    ({ complete, status, bytes }) => !complete || status !== 200 || bytes !== BLOB.size,
  ).length;
  return [
    { what: 'fetched upstream', unit: 'bytes', values: { [name]: sent }, bar: count(sent, { atMost: BLOB.size }) },
    { what: 'clients not served', unit: 'failures', values: { [name]: failures }, bar: count(failures, { atMost: 0 }) },
    {
      what: 'last first byte after the first',
      unit: 'ms',
      values: { [name]: spreadMs },
      bar: timing(spreadMs, { atMost: 100 }),
    },
    {
      what: 'last client ends',
      unit: 's',
      values: { [name]: lastMs / 1000, direct: directMs / 1000 },
      bar: { kind: 'timing', of: 'ratio', measured: lastMs / directMs, atMost: 1.15 },
    },
    { what: 'CPU for it', unit: 's', values: { [name]: cpuSeconds } },
  ];
}
