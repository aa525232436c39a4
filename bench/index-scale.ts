/**
 * How a server and its index answer when the index is big, all of what it knows being held.
 */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { openSqliteIndex } from '../src/index/sqlite/index.ts';
import { fillIndex } from './support/index-fill.ts';
import { timePages, timePoints } from './support/index-measure.ts';
import type { Timed } from './support/index-measure.ts';
import { timing } from './support/suite.ts';
import type { Row, Suite } from './support/suite.ts';

/** Nothing is asked of it. */
const UPSTREAM = 'http://127.0.0.1:9';

export const indexScale: Suite = {
  name: 'index-scale',
  about: 'an index of 100,000 manifests and 1,000,000 blobs (a quarter of that with --short)',
  async run({ short, machine, directory, say }) {
    const manifests = short ? 25_000 : 100_000;
    const path = join(directory, 'registry/entrepot/index.db');
    await mkdir(dirname(path), { recursive: true });
    await (await openSqliteIndex({ path }))[Symbol.asyncDispose]();
    say(`filling it with ${manifests} manifests`);
    const filled = fillIndex(path, manifests);
    say('starting on it');
    const startMs = await timeStart(() => machine.startSubject({ directory, upstream: UPSTREAM }));
    say('asking it');
    const index = await openSqliteIndex({ path });
    try {
      const points = await timePoints(index, filled);
      const pages = await timePages(index, filled);
      return rowsOf(startMs, points, pages);
    } finally {
      await index[Symbol.asyncDispose]();
    }
  },
};

async function timeStart(start: () => Promise<AsyncDisposable & { readonly startMs: number }>): Promise<number> {
  await using server = await start();
  return server.startMs;
}

/** Medians are judged: the slowest of many tells more about the machine. */
const BARS_MS: Readonly<Record<string, number>> = { catalogPage: 10, tagPage: 10, candidates: 50 };

function rowsOf(
  startMs: number,
  points: Readonly<Record<string, Timed>>,
  pages: Readonly<Record<string, Timed>>,
): Row[] {
  const row = (what: string, unit: Row['unit'], value: number, atMost: number | undefined): Row => ({
    what,
    unit,
    values: { entrepot: value },
    bar: atMost === undefined ? undefined : timing(value, { atMost }),
  });
  return [
    row('listening after', 'ms', startMs, 1000),
    ...Object.entries(pages).flatMap(([what, { median, slowest }]) => [
      row(`${what}, median`, 'ms', median, BARS_MS[what]),
      row(`${what}, slowest`, 'ms', slowest, undefined),
    ]),
    ...Object.entries(points).map(([what, { mean }]) => row(`${what}, mean`, 'us/request', mean * 1000, undefined)),
  ];
}
