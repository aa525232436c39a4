import type { Observer } from '../observe/events.ts';
import { RegistryError, systemCodeOf } from '../oci/errors.ts';

/** The index itself failed: its disk is full, somebody keeps it locked. */
export function isIndexFailure(error: unknown): error is RegistryError {
  return error instanceof RegistryError && error.origin === 'index';
}

/**
 * Writes down what was learned. That the index cannot take it costs the memory of it, never the answer.
 * @returns whether it was written
 */
export async function remember(observer: Observer, write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (error) {
    if (!isIndexFailure(error)) throw error;
    const { message } = error;
    observer.emit({ type: 'store.failed', operation: 'index', code: systemCodeOf(error), message });
    return false;
  }
}
