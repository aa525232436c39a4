import type { UpstreamConfig } from '../config/config.ts';
import { globMatcher } from '../config/value/glob.ts';
import { RegistryError } from '../oci/errors.ts';
import type { RepositoryKey } from '../oci/repository.ts';

const compiled = new WeakMap<UpstreamConfig, (name: string) => string | undefined>();

/** The operator's `allow` and `deny` of an upstream: the error to refuse a repository with, if it is to be refused. */
export function refusalOf(config: UpstreamConfig, key: RepositoryKey): RegistryError | undefined {
  const rule = ruleAgainst(config)(key.name);
  if (rule === undefined) return undefined;
  return new RegistryError(
    'DENIED',
    `${config.name}/${key.name} is refused here by ${rule}; ask the operator of this cache`,
    {
      upstream: config.name,
    },
  );
}

function ruleAgainst(config: UpstreamConfig): (name: string) => string | undefined {
  const known = compiled.get(config);
  if (known !== undefined) return known;
  const allowed = globMatcher(config.allow);
  const denied = config.deny.map((glob) => ({ glob, matches: globMatcher([glob]) }));
  const rule = (name: string): string | undefined => {
    const deny = denied.find(({ matches }) => matches(name));
    if (deny !== undefined) return `upstreams."${config.name}".deny: "${deny.glob}"`;
    return allowed(name) ? undefined : `upstreams."${config.name}".allow, which does not name it`;
  };
  compiled.set(config, rule);
  return rule;
}
