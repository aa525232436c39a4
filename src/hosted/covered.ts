import type { Index } from '../index/contract.ts';
import { RegistryError } from '../oci/errors.ts';

const page = 1_000;

/**
 * What was pushed here must not become an upstream's because the configuration has changed.
 * @throws RegistryError `REQUEST_INVALID` (origin `operator`) that names a repository which is held as hosted and is not by name
 */
export async function assertCovered(index: Index, isHosted: (name: string) => boolean): Promise<void> {
  let last: string | undefined;
  do {
    const { items, next } = await index.repositories.list({ limit: page, last });
    const wrong = items.find(({ key }) => key.upstream === undefined && !isHosted(key.name));
    if (wrong !== undefined) {
      throw new RegistryError(
        'REQUEST_INVALID',
        `the repository ${wrong.key.name} was pushed here, but hosted.names does not cover it: add it there, or a pattern that matches it`,
        { origin: 'operator' },
      );
    }
    last = next;
  } while (last !== undefined);
}
