import type { Request } from '../http/message.ts';
import type { Answer, Ask, Repository, WritableRepository } from '../oci/repository.ts';
import type { Digest } from '../oci/digest.ts';
import type { Target } from './route.ts';

/** A request for something in a repository, routed and allowed. */
export interface Asked {
  readonly request: Request;
  readonly target: Target;
  readonly repository: Repository;
  readonly ask: Ask;
  /** What links in answers begin with: the operator's URL of this server, or nothing. */
  readonly origin: string;
}

export interface AskedToWrite extends Asked {
  readonly repository: WritableRepository;
}

/** Of answers to whatever changes something. */
export const writesHeaders: Readonly<Record<string, string>> = { 'Docker-Distribution-Api-Version': 'registry/2.0' };

/** What every answer from a repository says: where it came from, and how. Notes the same for the log. */
export function answerHeaders(
  { request, target }: Asked,
  { outcome, ageSeconds }: Pick<Answer<unknown>, 'outcome' | 'ageSeconds'>,
): Record<string, string> {
  request.notes.outcome = outcome;
  const headers: Record<string, string> = {
    'Docker-Distribution-Api-Version': 'registry/2.0',
    'X-Cache': outcome,
    Age: String(Math.max(0, Math.floor(ageSeconds))),
  };
  if (target.namespace !== undefined) headers['OCI-Namespace'] = target.namespace;
  return headers;
}

export function etagOf(digest: Digest): string {
  return `"${digest}"`;
}

/** If-None-Match against content by digest (RFC 9110, 13.1.2): the comparison is weak. */
export function isNoneMatch(header: string | undefined, digest: Digest): boolean {
  if (header === undefined) return false;
  const wanted = etagOf(digest);
  return header.split(',').some((entry) => {
    const tag = entry.trim();
    return tag === '*' || tag === wanted || tag === `W/${wanted}`;
  });
}

/** What a digest names never changes: a year is the longest that anybody keeps anything (RFC 9111, 5.2.2; RFC 8246). */
export const immutable = 'max-age=31536000, immutable';
