import type { HeldTag } from '../index/contract.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Tag } from '../oci/reference.ts';

/** What the configuration says of an upstream, as far as the cache is concerned. */
export interface Policy {
  /** How long a tag counts as fresh, in milliseconds; 0 asks every time, `Infinity` never again. */
  freshMs(tag: Tag): number;
  /** Whether what is held is served when the upstream answers us 404, or 401 and 403. */
  readonly keep: { readonly notfound: boolean; readonly denied: boolean };
  /** In how many ranges a big blob is fetched at once. */
  readonly ranges: number;
  /** Its word counts: the configuration, or the table of public registries, has named it. */
  readonly isBelieved: boolean;
}

/**
 * - `fresh`: the held manifest may be served without asking.
 * - `seen`: not held, but the upstream has pointed there so recently that asking again would tell nothing new.
 * - `due`: held, but the upstream must be asked first.
 * - `absent`: nothing is held under this tag.
 */
export type Judgement = 'fresh' | 'seen' | 'due' | 'absent';

export function judge(held: HeldTag | undefined, freshMs: number, nowMs: number, revalidate: boolean): Judgement {
  if (held === undefined) return 'absent';
  // What was checked far in the future was checked by a clock that has been put right since.
  const recent = (atMs: number): boolean => !revalidate && atMs > 0 && Math.abs(nowMs - atMs) < freshMs;
  if (held.seen !== undefined && recent(held.seen.atMs)) return 'seen';
  if (held.digest === undefined) return 'absent';
  return held.seen === undefined && recent(held.checkedAtMs) ? 'fresh' : 'due';
}

/** Whether what is held is served although asking the upstream ended like this. */
export function isOutlived(failure: unknown, { keep }: Policy): boolean {
  if (!(failure instanceof RegistryError)) return false;
  if (failure.code === 'MANIFEST_UNKNOWN') return keep.notfound;
  return failure.code === 'UPSTREAM_DENIED' ? keep.denied : failure.origin === 'upstream';
}
