import type { Index } from '../index/contract.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { RepositoryKey } from '../oci/repository.ts';
import type { Adoption } from './adoption.ts';

/** What knows of the names that were pushed here. */
export interface Known {
  readonly index: Pick<Index, 'claims' | 'repositories'>;
  readonly adoption: Pick<Adoption, 'look'>;
}

/** Whether anybody has pushed a name of one part, ever. */
export async function isClaimed({ index, adoption }: Known, name: RepositoryName): Promise<boolean> {
  // Links may make another claim, and take none away.
  if (await index.claims.has(name)) return true;
  await adoption.look(hosted(name));
  return index.claims.has(name);
}

/** Whether a name is known here as hosted: one of one part from its first push on, any other while something is held of it. */
export async function isPushed(known: Known, name: RepositoryName): Promise<boolean> {
  if (!name.includes('/')) return isClaimed(known, name);
  await known.adoption.look(hosted(name));
  return (await known.index.repositories.manifests(hosted(name), 1)).length > 0;
}

function hosted(name: RepositoryName): RepositoryKey {
  return { upstream: undefined, name };
}
