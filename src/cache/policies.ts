import type { UpstreamConfig } from '../config/config.ts';
import { globMatcher } from '../config/value/glob.ts';
import type { Tag } from '../oci/reference.ts';
import type { Policy } from './freshness.ts';

const compiled = new WeakMap<UpstreamConfig, Policy>();

/** What the configuration says of an upstream, ready to be asked for every request. */
export function policyOf(config: UpstreamConfig): Policy {
  const known = compiled.get(config);
  if (known !== undefined) return known;
  const rules = config.freshness.map(({ tags, forMs }) => ({ matches: globMatcher([tags]), forMs }));
  const policy: Policy = {
    freshMs: (tag: Tag) => rules.find((rule) => rule.matches(tag))?.forMs ?? 0,
    keep: config.keep,
    ranges: config.ranges,
    isBelieved: config.learned !== true,
  };
  compiled.set(config, policy);
  return policy;
}
