import { Authorizer, noAuthorization } from './authorization.ts';
import type { Authorization, AuthorizerOptions } from './authorization.ts';
import type { Head } from './exchange.ts';

/** Registries that one registry sends us on to; more than a few would be a game. */
const strangersMax = 8;

/**
 * Who we are to registries that we were only sent to (as lscr.io sends us to ghcr.io): anybody. They may hand out tokens
 * to anybody; our credentials never reach them.
 */
export class Strangers {
  readonly #options: Omit<AuthorizerOptions, 'url' | 'source'>;
  readonly #authorizers = new Map<string, Authorizer>();

  constructor(options: Omit<AuthorizerOptions, 'url' | 'source'>) {
    this.#options = options;
  }

  async authorize(url: URL): Promise<Authorization> {
    const authorizer = this.#authorizers.get(url.origin);
    return authorizer === undefined ? noAuthorization : await authorizer.authorize(scopeOf(url), 'anonymous');
  }

  /** @returns whether to ask again */
  refused(url: URL, head: Head, used: Authorization | undefined): boolean {
    if (scopeOf(url) === undefined) return false;
    const known = this.#authorizers.get(url.origin);
    const authorizer = known ?? new Authorizer({ ...this.#options, url: new URL(url.origin), source: undefined });
    if (known === undefined) this.#keep(url.origin, authorizer);
    return authorizer.refused(head, used ?? noAuthorization, 'anonymous');
  }

  #keep(origin: string, authorizer: Authorizer): void {
    const [oldest] = this.#authorizers.keys();
    if (this.#authorizers.size >= strangersMax && oldest !== undefined) this.#authorizers.delete(oldest);
    this.#authorizers.set(origin, authorizer);
  }
}

/** The repository may have another name there. What is no registry's path has no scope: a signed link is its own proof. */
function scopeOf({ pathname }: URL): string | undefined {
  const name = /^\/v2\/(.+)\/(?:manifests|blobs|tags|referrers)\/[^/]+$/.exec(pathname)?.[1];
  return name === undefined ? undefined : `repository:${name}:pull`;
}
