import { RegistryError } from '../oci/errors.ts';
import type { Located } from './locate.ts';

/** What is asked for where it means nothing for what is hosted. */
export type Unneeded = 'pull' | 'refresh' | 'purge' | 'pin';

/**
 * What is hosted comes from nobody else: it is neither fetched nor fetched again, and not evicted.
 * @throws RegistryError `UNSUPPORTED` (origin `operator`) where the image is hosted here, with what to do instead
 */
export function refuseHosted(what: Unneeded, { key, reference, explicit, text }: Located): void {
  if (key.upstream !== undefined) return;
  const manifests = `/v2/${key.name}/manifests/`;
  const because: Readonly<Record<Unneeded, string>> = {
    pull: 'what was pushed of it is held, and there is nothing to fetch',
    refresh: 'its tags move when somebody pushes, and there is nothing to ask for',
    purge: `nobody could fetch it again; delete it by the registry API, with DELETE ${manifests}${explicit ? reference : 'REFERENCE'}`,
    pin: 'what is pushed is never evicted, and needs no pin',
  };
  throw new RegistryError('UNSUPPORTED', `${text} is hosted here: ${because[what]}`, { origin: 'operator' });
}
