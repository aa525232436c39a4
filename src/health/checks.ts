import { stat } from 'node:fs/promises';
import type { CheckConfig } from '../config/config.ts';
import type { Clock } from '../observe/clock.ts';
import { inTime } from '../observe/in-time.ts';
import { parseDigest } from '../oci/digest.ts';
import { messageOf } from '../oci/errors.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { Services } from '../upstream/services.ts';

export interface CheckContext {
  readonly store: BlobStore;
  readonly clock: Clock;
  readonly services: Services;
}

/** What is wrong; `undefined` when nothing is. Never rejects. */
export async function look(
  check: CheckConfig,
  context: CheckContext,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    switch (check.kind) {
      case 'storage':
        return await lookAtStorage(context);
      case 'file':
        return await lookAtFile(check.path);
      case 'http': {
        const { url, timeoutMs, status } = check;
        const headers = Object.fromEntries(
          check.headers.map(([name, values]) => [name, values.map((each) => each.reveal())]),
        );
        const answer = await context.services.ask({ url, method: 'HEAD', headers, timeoutMs, signal });
        if (answer.status === undefined) return answer.problem;
        return answer.status === status ? undefined : `it answered ${answer.status}`;
      }
      case 'tcp':
        return await context.services.reach(check, signal);
    }
  } catch (error) {
    return messageOf(error);
  }
}

/** The digest of nothing at all, which no store needs to hold. */
const nothing = parseDigest('sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
const storageMsMax = 5_000;

/** That it answers, not that it takes anything: a full disk keeps nobody from pulling. */
async function lookAtStorage({ store, clock }: CheckContext): Promise<string | undefined> {
  const answer = Promise.all([store.capacity(), store.find(nothing)]);
  await inTime(clock, storageMsMax, answer, () => new Error(`no answer within ${storageMsMax} ms`));
  return undefined;
}

async function lookAtFile(path: string): Promise<string | undefined> {
  try {
    await stat(path);
    return 'file exists';
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
