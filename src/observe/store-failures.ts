import { RegistryError, systemCodeOf } from '../oci/errors.ts';
import type { Observer } from './events.ts';

/** Does what the store and the index have a part in, and tells when one of them did not do its own. */
export async function tellingStoreFailures<T>(
  observer: Observer,
  operation: 'push' | 'delete',
  act: () => Promise<T>,
): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof RegistryError && (error.origin === 'store' || error.origin === 'index')) {
      observer.emit({ type: 'store.failed', operation, code: systemCodeOf(error), message: error.message });
    }
    throw error;
  }
}
