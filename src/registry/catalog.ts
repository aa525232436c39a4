import type { PageRule } from '../config/config.ts';
import type { Reply } from '../http/message.ts';
import type { Ask, Page, PageRequest } from '../oci/repository.ts';
import { jsonReply } from './json.ts';
import { nextLink, pagingOf } from './paging.ts';
import type { CatalogRoute } from './route.ts';

/** The names of the repositories that the asker may pull, in byte order. */
export type Catalog = (page: PageRequest, ask: Ask) => Promise<Page<string>>;

/** A page of repositories (Docker's registry API, "Catalog"). */
export async function listCatalog(
  catalog: Catalog,
  { path, query }: CatalogRoute,
  rule: PageRule,
  ask: Ask,
): Promise<Reply> {
  const paging = pagingOf(query, rule);
  const headers: Record<string, string> = { 'Docker-Distribution-Api-Version': 'registry/2.0' };
  if (paging.nothing) return jsonReply({ repositories: [] }, headers);
  const page = await catalog({ limit: paging.limit, last: paging.last }, ask);
  const link = nextLink(path, query, paging, page);
  if (link !== undefined) headers['Link'] = link;
  return jsonReply({ repositories: page.items }, headers);
}
