import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';
import { fullName } from '../oci/repository.ts';
import type { Answer, Page, PageRequest, Referrer, RepositoryKey } from '../oci/repository.ts';
import type { Identity, UpstreamRepository } from '../upstream/contract.ts';
import { isOutlived } from './freshness.ts';
import type { Policy } from './freshness.ts';
import { suffixOf } from './identity.ts';
import type { RepositoryContext } from './repository-context.ts';

/** What one repository of an upstream lists: the upstream's own list, and what is held while the upstream cannot be asked. */
export class Lists {
  readonly #key: RepositoryKey;
  readonly #upstream: UpstreamRepository;
  readonly #identity: Identity;
  readonly #policy: Policy;
  readonly #context: RepositoryContext;

  constructor(
    key: RepositoryKey,
    upstream: UpstreamRepository,
    identity: Identity,
    policy: Policy,
    context: RepositoryContext,
  ) {
    this.#key = key;
    this.#upstream = upstream;
    this.#identity = identity;
    this.#policy = policy;
    this.#context = context;
  }

  async tags(page: PageRequest): Promise<Answer<Page<Tag>> | undefined> {
    const held = (): Promise<Page<Tag>> => this.#context.index.tags.list(this.#key, page);
    try {
      const what = `tags:${page.limit}:${page.last ?? ''}`;
      const list = await this.#ask(what, () => this.#upstream.tags(page, this.#identity));
      if (list !== undefined) return list;
    } catch (error) {
      if (!isOutlived(error, this.#policy)) throw error;
      const kept = await held();
      if (kept.items.length === 0 && page.last === undefined) throw error;
      return stale(kept);
    }
    const kept = this.#policy.keep.notfound ? await held() : undefined;
    return kept === undefined || kept.items.length === 0 ? undefined : stale(kept);
  }

  async referrers(subject: Digest, artifactType: string | undefined): Promise<Answer<readonly Referrer[]> | undefined> {
    try {
      const what = `referrers:${subject}:${artifactType ?? ''}`;
      return await this.#ask(what, () => this.#upstream.referrers(subject, artifactType, this.#identity));
    } catch (error) {
      if (!isOutlived(error, this.#policy)) throw error;
      const held = await this.#context.index.manifests.referrers(this.#key, subject);
      if (held.length === 0) throw error;
      return stale(held.filter((referrer) => artifactType === undefined || referrer.artifactType === artifactType));
    }
  }

  /** Once for all who ask for the same at the same time. */
  async #ask<T>(what: string, work: () => Promise<T | undefined>): Promise<Answer<T> | undefined> {
    const key = `${what} of ${fullName(this.#key)}${suffixOf(this.#identity)}`;
    const { value, shared } = await this.#context.once.share(key, work);
    return value === undefined ? undefined : { value, outcome: shared ? 'coalesced' : 'miss', ageSeconds: 0 };
  }
}

function stale<T>(value: T): Answer<T> {
  return { value, outcome: 'stale', ageSeconds: 0 };
}
