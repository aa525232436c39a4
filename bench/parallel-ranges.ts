/**
 * An upstream that gives every connection little: a cold pull through the cache is faster than a direct one.
 */
import { Helper } from './support/helper.ts';
import type { ReaderOperations } from './support/readers-main.ts';
import { MIB } from './support/statistics.ts';
import { pathOf } from './support/subjects.ts';
import { count, ratio } from './support/suite.ts';
import type { Suite } from './support/suite.ts';
import { startUpstream } from './support/upstream.ts';

const BLOB = { repository: 'bench/ranges', size: 512 * MIB, seed: 'ranges' } as const;
const BYTES_PER_SECOND_EACH = 20_000_000;

export const parallelRanges: Suite = {
  name: 'parallel-ranges',
  about: 'a cold blob of 512 MiB from an upstream of 20 MB/s a connection',
  async run({ machine, directory, say }) {
    await using upstream = await startUpstream({ bytesPerSecondEach: BYTES_PER_SECOND_EACH });
    const digest = await upstream.ask('publishBlob', BLOB);
    const path = pathOf(BLOB.repository, 'blobs', digest);
    await using readers = new Helper<ReaderOperations>('./readers-main.ts');
    await using subject = await machine.startSubject({ directory, upstream: upstream.origin });
    say('direct');
    const [direct] = await readers.ask('once', { url: `${upstream.origin}${path}`, clients: 1 });
    await upstream.ask('reset', undefined);
    say('through the cache');
    const [through] = await readers.ask('once', { url: `${subject.origin}${path}`, clients: 1 });
    if (!direct?.complete || !through?.complete) throw new Error('the blob did not come whole');
    const { sent, transfers } = await upstream.ask('blobBytes', digest);
    const { name } = subject;
    return [
      {
        what: 'cold pull',
        unit: 's',
        values: { [name]: through.endMs / 1000, direct: direct.endMs / 1000 },
        bar: ratio(through.endMs / direct.endMs, { atMost: 0.35 }),
      },
      { what: 'fetched upstream', unit: 'bytes', values: { [name]: sent }, bar: count(sent, { atMost: BLOB.size }) },
      { what: 'in this many transfers', unit: 'requests', values: { [name]: transfers } },
    ];
  },
};
