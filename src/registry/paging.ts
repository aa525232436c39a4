import { RegistryError } from '../oci/errors.ts';
import type { Page, PageRequest } from '../oci/repository.ts';
import type { Query } from './url.ts';
import { shown } from './url.ts';

/** More than any client asks for at once, and what many clients get that never follow a link. */
export const pageEntriesMax = 1_000;
/** Longer than any tag and any repository name with its registry. */
const lastCharactersMax = 512;

export interface Paging extends PageRequest {
  /** An `n` of 0 asks for nothing, not even a link (distribution specification, "Listing tags"). */
  readonly nothing: boolean;
}

/** @throws RegistryError `PAGINATION_NUMBER_INVALID`, or `REQUEST_INVALID` for an impossible `last` */
export function pagingOf({ n, last }: Query): Paging {
  if (n !== undefined && !/^\d{1,15}$/.test(n)) {
    throw new RegistryError(
      'PAGINATION_NUMBER_INVALID',
      `n=${shown(n)} is not a number of entries; give 1 to ${pageEntriesMax}`,
    );
  }
  if (last !== undefined && last.length > lastCharactersMax) {
    throw new RegistryError('REQUEST_INVALID', `"last" is longer than ${lastCharactersMax} characters`);
  }
  const wanted = n === undefined ? pageEntriesMax : Number(n);
  return {
    limit: Math.min(Math.max(wanted, 1), pageEntriesMax),
    last: last === '' ? undefined : last,
    nothing: wanted === 0,
  };
}

/** The next page's link, relative, by the very URL that the client used (RFC 8288). */
export function nextLink(path: string, query: Query, { limit }: Paging, page: Page<unknown>): string | undefined {
  if (page.next === undefined) return undefined;
  const ns = query.ns === undefined ? '' : `&ns=${encodeURIComponent(query.ns)}`;
  return `<${path}?n=${limit}&last=${encodeURIComponent(page.next)}${ns}>; rel="next"`;
}
