import type { HeldTag } from '../index/contract.ts';
import type { Event } from '../observe/events.ts';
import type { Descriptor } from '../oci/manifest.ts';
import { isDigestReference } from '../oci/reference.ts';
import type { Reference, Tag } from '../oci/reference.ts';
import type { Again, Answer, RepositoryKey } from '../oci/repository.ts';
import { judge } from './freshness.ts';
import type { Policy } from './freshness.ts';
import type { RepositoryContext } from './repository-context.ts';

/** An answer, and when the upstream last vouched for it. */
export interface Dated<T> extends Answer<T> {
  readonly atMs: number;
}

/**
 * With how to say it once more, in place of all that finding it takes. That holds while the index is as it was: then tag,
 * manifest and repository are. Who may read it, and how long a tag is fresh, is for the rules to say each time.
 *
 * @param version of the index, before anything was read from it
 */
export function repeatable<T extends Descriptor>(
  context: RepositoryContext,
  key: RepositoryKey,
  reference: Reference,
  answer: Dated<T>,
  version: number | undefined,
): Answer<T> {
  const { upstream } = key;
  if (answer.outcome !== 'hit' || version === undefined || upstream === undefined) return answer;
  const again = againOf(context, { ...key, upstream }, reference, answer, version);
  return again === undefined ? answer : { ...answer, again };
}

function againOf<T extends Descriptor>(
  context: RepositoryContext,
  key: RepositoryKey & { readonly upstream: string },
  reference: Reference,
  { value, outcome, atMs }: Dated<T>,
  version: number,
): Again<T> | undefined {
  const mayRead = context.recall(key);
  if (mayRead === undefined) return undefined;
  const { index, clock, observer } = context;
  const isFresh = isDigestReference(reference) ? undefined : freshness(context, key.upstream, reference, value, atMs);
  const used = context.uses.noting(key, value.digest);
  const answered: Event = { type: 'cache.answered', upstream: key.upstream, object: 'manifest', outcome };
  return (asker) => {
    if (index.version() !== version || !mayRead(asker)) return undefined;
    const nowMs = clock.now();
    if (isFresh !== undefined && !isFresh(nowMs)) return undefined;
    used(nowMs);
    observer.emit(answered);
    return { value, outcome, ageSeconds: Math.max(0, Math.floor((nowMs - atMs) / 1000)) };
  };
}

/** As the policy has it that is in force when it is asked. */
function freshness(
  context: RepositoryContext,
  upstream: string,
  tag: Tag,
  { digest }: Descriptor,
  checkedAtMs: number,
): (nowMs: number) => boolean {
  const held: HeldTag = { digest, checkedAtMs, seen: undefined };
  let known: Policy | undefined;
  let freshMs = 0;
  return (nowMs) => {
    const policy = context.policy(upstream);
    if (policy !== known) [known, freshMs] = [policy, policy.freshMs(tag)];
    return judge(held, freshMs, nowMs, false) === 'fresh';
  };
}
