/**
 * A blob of 1 GiB that is held already: what a byte costs, and how many there can be.
 */
import { testAuthority } from '../test/support/certificates.ts';
import { makeBlob } from '../test/support/images.ts';
import { BIG_BLOB } from './support/contents.ts';
import { Contest, PeerContent } from './support/contest.ts';
import type { ContestOptions } from './support/contest.ts';
import { Helper } from './support/helper.ts';
import type { Flow, ReaderOperations } from './support/readers-main.ts';
import { GIB } from './support/statistics.ts';
import { pathOf } from './support/subjects.ts';
import type { Server } from './support/subjects.ts';
import { count } from './support/suite.ts';
import type { Bench, Row, Suite } from './support/suite.ts';
import { startUpstream } from './support/upstream.ts';

export const warmBlob: Suite = {
  name: 'warm-blob',
  about: 'a held blob of 1 GiB: CPU seconds a GiB, plain and TLS; throughput with 32 clients',
  async run(bench) {
    const blob = makeBlob(BIG_BLOB.size, BIG_BLOB.seed);
    const path = pathOf(BIG_BLOB.repository, 'blobs', blob.digest);
    const peers = new PeerContent(bench.directory);
    await peers.layout.addBlob(BIG_BLOB.repository, blob);
    await peers.link(path, blob.digest);
    await using upstream = await startUpstream();
    await upstream.ask('publishBlob', BIG_BLOB);
    const rows = [];
    for (const tls of [undefined, testAuthority().issue(['localhost'])]) {
      const measuring = new Measuring(bench, path, tls ? testAuthority().ca : undefined);
      rows.push(...(await measuring.run({ upstream: upstream.origin, peers, tls })));
    }
    const { sent } = await upstream.ask('blobBytes', blob.digest);
    const values = { [bench.machine.subjectName]: sent };
    const fetched = {
      what: 'fetched upstream',
      unit: 'bytes',
      values,
      bar: count(sent, { atMost: blob.size }),
    } as const;
    return [...rows, fetched];
  },
};

interface Cost {
  readonly secondsPerGib: number;
  readonly gigabytesPerSecond: number;
}

class Measuring {
  readonly #bench: Bench;
  readonly #path: string;
  readonly #ca: string | undefined;

  constructor(bench: Bench, path: string, ca: string | undefined) {
    this.#bench = bench;
    this.#path = path;
    this.#ca = ca;
  }

  async run(options: ContestOptions): Promise<Row[]> {
    const { short, say } = this.#bench;
    const scheme = this.#ca === undefined ? 'plain' : 'TLS';
    await using contest = await Contest.start(this.#bench, options);
    await using readers = new Helper<ReaderOperations>('./readers-main.ts');
    const request = (server: Server) => ({ url: `${server.origin}${this.#path}`, ca: this.#ca });
    say(`${scheme}: first reads`);
    await contest.rounds(1, (server) => readers.ask('again', { ...request(server), times: 1 }));
    say(`${scheme}: one client`);
    const one = await contest.rounds(short ? 4 : 10, (server) =>
      cost(server, () => readers.ask('again', { ...request(server), times: 3 })),
    );
    say(`${scheme}: 32 clients`);
    const visitors = (server: Server) =>
      Array.from({ length: 32 }, () => ({ ...request(server), urls: [request(server).url] }));
    const many = await contest.rounds(short ? 3 : 6, (server) =>
      cost(server, () => readers.ask('meanwhile', { visitors: visitors(server), ms: short ? 3000 : 5000 })),
    );
    const plain = this.#ca === undefined;
    return [
      contest.row(one, `CPU, ${scheme}, one client`, 's/GiB', (each) => each.secondsPerGib, {
        atMost: plain ? 1 : 0.5,
      }),
      contest.row(many, `CPU, ${scheme}, 32 clients`, 's/GiB', (each) => each.secondsPerGib),
      contest.row(
        many,
        `throughput, ${scheme}, 32 clients`,
        'GB/s',
        (each) => each.gigabytesPerSecond,
        plain ? { atLeast: 1 } : undefined,
      ),
    ];
  }
}

async function cost({ group, name }: Server, read: () => Promise<Flow>): Promise<Cost> {
  const before = group.cpuSeconds();
  const { bytes, ms, failures } = await read();
  if (failures.length > 0) throw new Error(`${name} failed: ${failures.join('; ')}`);
  const cpuSeconds = group.cpuSeconds() - before;
  return { secondsPerGib: cpuSeconds / (bytes / GIB), gigabytesPerSecond: bytes / ms / 1e6 };
}
