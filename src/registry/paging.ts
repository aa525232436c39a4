import type { PageRule } from '../config/config.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Page, PageRequest } from '../oci/repository.ts';
import type { Query } from './url.ts';
import { shown } from './url.ts';

/** Longer than any tag and any repository name with its registry. */
const lastCharactersMax = 512;

export interface Paging extends PageRequest {
  /** An `n` of 0 asks for nothing, not even a link (distribution specification, "Listing tags"). */
  readonly nothing: boolean;
}

/** Of what is no number, in characters. */
const numberShownMax = 200;

/** @throws RegistryError `PAGINATION_NUMBER_INVALID`, or `REQUEST_INVALID` for an impossible `last` */
export function pagingOf({ n: given, last }: Query, rule: PageRule): Paging {
  // Forms send what nobody filled in as empty; registry takes that for the default.
  const n = given === '' ? undefined : given;
  if (n !== undefined && (!/^\d{1,15}$/.test(n) || (rule.beyond === 'refuse' && Number(n) > rule.entriesMax))) {
    throw new RegistryError(
      'PAGINATION_NUMBER_INVALID',
      `n=${shown(n)} is not a number of entries; give 1 to ${rule.entriesMax}`,
      { detail: { n: n.slice(0, numberShownMax) } },
    );
  }
  if (last !== undefined && last.length > lastCharactersMax) {
    throw new RegistryError('REQUEST_INVALID', `"last" is longer than ${lastCharactersMax} characters`);
  }
  const wanted = n === undefined ? rule.entriesDefault : Math.min(Number(n), rule.entriesMax);
  return {
    limit: Math.max(wanted, 1),
    last: last === '' ? undefined : last,
    nothing: wanted === 0,
  };
}

/** The next page's link, relative, by the very URL that the client used (RFC 8288). */
export function nextLink(path: string, query: Query, { limit }: Paging, page: Page<unknown>): string | undefined {
  if (page.next === undefined) return undefined;
  const ns = query.ns === undefined ? '' : `&ns=${encodeURIComponent(query.ns)}`;
  const type = query.artifactType === undefined ? '' : `&artifactType=${encodeURIComponent(query.artifactType)}`;
  return `<${path}?n=${limit}&last=${encodeURIComponent(page.next)}${type}${ns}>; rel="next"`;
}
