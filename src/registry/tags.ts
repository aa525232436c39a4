import type { PageRule } from '../config/config.ts';
import type { Reply } from '../http/message.ts';
import { RegistryError } from '../oci/errors.ts';
import { answerHeaders } from './content.ts';
import type { Asked } from './content.ts';
import { jsonReply } from './json.ts';
import { nextLink, pagingOf } from './paging.ts';

/** A page of a repository's tags (distribution specification, "Listing tags"). */
export async function listTags(asked: Asked, rule: PageRule): Promise<Reply> {
  const { repository, target, ask } = asked;
  const paging = pagingOf(target.query, rule);
  const found = await repository.tags({ limit: paging.limit, last: paging.last }, ask);
  if (found === undefined) throw new RegistryError('NAME_UNKNOWN', `there is no repository ${repository.label}`);
  const headers = answerHeaders(asked, found);
  if (paging.nothing) return jsonReply({ name: target.askedName, tags: [] }, headers);
  const link = nextLink(target.path, target.query, paging, found.value);
  if (link !== undefined) headers['Link'] = link;
  return jsonReply({ name: target.askedName, tags: found.value.items }, headers);
}
