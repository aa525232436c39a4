import { originText } from '../error.ts';
import type { Origin } from '../error.ts';
import { namingKeys, ourKeys } from '../schema/schema.ts';
import { isGiven } from '../support.ts';
import { givenKeys } from '../tree/plain.ts';
import { keyOriginAt } from '../tree/tree.ts';
import type { Resolving } from './resolving.ts';

/**
 * One key of ours that says what names mean, and they mean that. Otherwise a file that `registry:2` would start with (it must name a storage) means
 * what it meant there, and so do `REGISTRY_*` alone. Where there is no `proxy`.
 */
export function resolveMode(hasFile: boolean, resolving: Resolving): 'entrepot' | 'registry' {
  const { tree } = resolving;
  if (namingKeys.some((key) => isGiven(tree, key))) return 'entrepot';
  const isRegistrys = hasFile
    ? isGiven(tree, 'storage')
    : givenKeys(tree).some((each) => isRegistryVariable(each.tree.origin));
  if (isRegistrys) noteNothingIsCached(resolving);
  return isRegistrys ? 'registry' : 'entrepot';
}

function isRegistryVariable(origin: Origin): boolean {
  return origin.kind === 'env' && origin.name.startsWith('REGISTRY_');
}

/** For whoever writes keys of ours into a file may expect what has made him come here. */
function noteNothingIsCached({ tree, notices }: Resolving): void {
  const ours = ourKeys.map((key) => ({ key, origin: keyOriginAt(tree, key.split('.')) }));
  const first = ours.find(({ key, origin }) => isGiven(tree, key) && origin.kind === 'file');
  if (first === undefined) return;
  notices.push(
    `nothing is cached: a file with storage, and without ${namesOfNamingKeys}, is a plain registry's, and ${first.key} (${originText(first.origin)}) does not change that; write defaultupstream: docker.io to have the cache, too`,
  );
}

const namesOfNamingKeys = `${namingKeys.slice(0, -1).join(', ')} or ${namingKeys.at(-1)}`;
