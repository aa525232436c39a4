import type { Verified } from '../bytes/assembly.ts';
import type { Lease, Tell, UploadRow } from '../index/contract.ts';
import { settlingKeyOf } from '../index/settling.ts';
import { takeLease } from '../index/take-lease.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Ingest } from '../store/blob-store.ts';
import type { HostedContext } from './context.ts';

/** For a disk that takes its time; a push that is slower than this begins again. In milliseconds. */
const leaseMs = 60_000;
/** Whoever else puts the same blob in its place, or takes it away, is done in a moment. */
const retryMs = 20;
const attemptsMax = 500;

/**
 * Puts what was uploaded in its place: in the store, synced and renamed; then in the index, synced as well. Under a lease,
 * so that nobody deletes the same content, found here already, between the two.
 */
export async function settle(
  context: HostedContext,
  { id, repository }: UploadRow,
  ingest: Ingest,
  content: Verified,
  tell: Tell | undefined,
): Promise<void> {
  const { index, clock } = context;
  const { digest, size } = content;
  const lease = await acquire(context, digest);
  try {
    await ingest.commit(content);
    if (await index.hosted.addBlob(repository, { digest, size, upload: id, tell }, lease, clock.now())) return;
    throw slow(digest);
  } catch (error) {
    await index.leases.release(lease, '');
    throw error;
  }
}

async function acquire(context: HostedContext, digest: Digest): Promise<Lease> {
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    const lease = await takeLease(context, settlingKeyOf(digest), leaseMs);
    if (lease !== undefined) return lease;
    await context.clock.sleep(retryMs);
  }
  throw slow(digest);
}

function slow(digest: Digest): RegistryError {
  const message = `${digest} could not be put in its place in time: push it again, and look at the disk if it repeats`;
  return new RegistryError('UNAVAILABLE', message, { origin: 'store', retryAfterSeconds: 1 });
}
