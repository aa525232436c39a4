import type { AccessRule, Who } from '../config/config.ts';
import { globMatcher } from '../config/value/glob.ts';
import type { Action, Asker } from '../oci/repository.ts';

/** The operator's rules, compiled: asked for every request. */
export interface Permissions {
  /** @param repository its full name: `docker.io/library/redis`, `local/app` */
  may(asker: Asker, action: Action, repository: string): boolean;
  /** Without proof of who asks there is nothing at all. */
  readonly isClosed: boolean;
}

/**
 * The first rule that fits who asks, what for and where, decides; what none fits is refused. A token allows no more than
 * its bearer may, and no more than it was made out for.
 */
export function permissionsOf(rules: readonly AccessRule[]): Permissions {
  const compiled = rules.map(({ who, may, on }) => ({ who, may, covers: globMatcher(on) }));
  const ruled = (asker: Asker, action: Action, repository: string): boolean => {
    for (const { who, may, covers } of compiled) {
      const isAbout = may.length === 0 || may.includes(action);
      if (isAbout && who.some((each) => isMeant(each, asker)) && covers(repository)) return may.length > 0;
    }
    return false;
  };
  return {
    isClosed: !rules.some(({ who, may }) => may.length > 0 && who.some(({ kind }) => kind === 'anybody')),
    may: (asker, action, repository) =>
      asker.kind === 'operator' || (isGranted(asker, action, repository) && ruled(asker, action, repository)),
  };
}

function isMeant(who: Who, asker: Asker): boolean {
  if (who.kind === 'anybody') return true;
  if (who.kind === 'bearer') return asker.kind !== 'operator' && asker.grants !== undefined;
  if (asker.kind !== 'user') return false;
  if (who.kind === 'authenticated') return true;
  return who.kind === 'user' ? who.name === asker.name : asker.groups.includes(who.name);
}

function isGranted(asker: Exclude<Asker, { kind: 'operator' }>, action: Action, repository: string): boolean {
  return asker.grants === undefined || asker.grants.allows(action, repository);
}
