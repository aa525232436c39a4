import type { Action, Grants } from '../oci/repository.ts';

/** What a token is asked for, or made out for (Docker's token specification, "Token Scope Documentation"). */
export interface Scope {
  readonly type: string;
  /** As the client wrote it: with or without the registry in front. */
  readonly name: string;
  readonly actions: readonly string[];
}

/** More than any client asks for at once. */
const scopesMax = 64;
const scopeCharactersMax = 1_024;
const form = /^([a-z0-9]+)(?:\([a-z0-9]+\))?:(.+):([a-zA-Z*,]+)$/;

/** Names may hold colons. What cannot be understood grants nothing. */
export function parseScopes(texts: readonly string[]): readonly Scope[] {
  return texts
    .flatMap((text) => text.split(' '))
    .slice(0, scopesMax)
    .flatMap((text) => {
      const [, type, name, actions] = (text.length <= scopeCharactersMax && form.exec(text)) || [];
      if (type === undefined || name === undefined || actions === undefined) return [];
      return [{ type, name, actions: actions.split(',').filter((action) => action !== '') }];
    });
}

/** The actions of a scope that mean something here. */
export function actionsOf({ actions }: Pick<Scope, 'actions'>): readonly Action[] {
  const all: readonly Action[] = ['pull', 'push', 'delete'];
  return all.filter((action) => actions.includes(action) || actions.includes('*'));
}

/** The full names of the repositories that a client may mean by a name, for what is to be done there. */
export type NamesOf = (name: string, action: Action) => readonly string[];

export function grantsOf(scopes: readonly Scope[], namesOf: NamesOf): Grants {
  const repositories = new Map<string, Set<Action>>();
  let catalog = false;
  for (const scope of scopes) {
    if (scope.type === 'registry' && scope.name === 'catalog') catalog ||= scope.actions.includes('*');
    if (scope.type !== 'repository') continue;
    for (const action of actionsOf(scope)) {
      for (const name of namesOf(scope.name, action)) {
        repositories.set(name, (repositories.get(name) ?? new Set()).add(action));
      }
    }
  }
  return { allows: (action, repository) => repositories.get(repository)?.has(action) ?? false, catalog };
}

/** Those of them that somebody may have. The list of all repositories is anybody's: it shows each what he may pull. */
export function allowedOf(
  scopes: readonly Scope[],
  namesOf: NamesOf,
  may: (action: Action, repository: string) => boolean,
): readonly Scope[] {
  return scopes.flatMap((scope) => {
    if (scope.type === 'registry' && scope.name === 'catalog') return [{ ...scope, actions: ['*'] }];
    if (scope.type !== 'repository') return [];
    const isAllowed = (action: Action): boolean => namesOf(scope.name, action).some((name) => may(action, name));
    const actions = actionsOf(scope).filter(isAllowed);
    return actions.length === 0 ? [] : [{ ...scope, actions }];
  });
}
