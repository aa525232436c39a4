import { randomUUID } from 'node:crypto';
import type { Index } from '../index/contract.ts';
import type { Clock } from '../observe/clock.ts';
import { inTime } from '../observe/in-time.ts';
import { messageOf } from '../oci/errors.ts';
import { parseIngestName } from '../store/blob-store.ts';
import type { BlobStore } from '../store/blob-store.ts';

export interface HealthOf {
  readonly index: Index;
  readonly store: BlobStore;
  readonly accepting: () => boolean;
  readonly clock: Clock;
}

/** A part that does not answer within this is not ready, in milliseconds. */
const answerMsMax = 5_000;

/** What keeps us from serving, by part; empty when nothing does. */
export async function checkHealth({
  index,
  store,
  accepting,
  clock,
}: HealthOf): Promise<Readonly<Record<string, string>>> {
  const [storeProblem, indexProblem] = await Promise.all([
    problem(clock, () => writeOneByte(store)),
    problem(clock, async () => {
      await index.keeping.cachedBytes();
      const wrong = index.problem();
      if (wrong !== undefined) throw new Error(wrong);
    }),
  ]);
  return {
    ...(accepting() ? {} : { server: 'stopping' }),
    ...(storeProblem === undefined ? {} : { store: storeProblem }),
    ...(indexProblem === undefined ? {} : { index: indexProblem }),
  };
}

async function writeOneByte(store: BlobStore): Promise<void> {
  await using ingest = await store.ingest(parseIngestName(`health-${randomUUID()}`), 'new');
  await ingest.write(new Uint8Array(1), 0);
}

async function problem(clock: Clock, check: () => Promise<void>): Promise<string | undefined> {
  try {
    await inTime(clock, answerMsMax, check(), () => new Error(`no answer within ${answerMsMax} ms`));
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
