import { canonicalName } from '../builtin-upstreams.ts';

/**
 * A pin as it is compared with what is held, from how people write it: without a registry it is Docker Hub's, as in
 * `docker pull`. `redis:7` is `docker.io/library/redis:7`, `grafana/*` is `docker.io/grafana/*`; a pattern that begins
 * with a glob across registries (`*.gcr.io/base/*`, `**`) stays what it is.
 */
export function canonicalPin(text: string): string {
  const slash = text.indexOf('/');
  if (slash < 0) return text.startsWith('**') ? text : `docker.io/library/${text}`;
  const first = text.slice(0, slash);
  if (/[*?[{]/.test(first)) return text;
  if (!/[.:]/.test(first) && first !== 'localhost') return `docker.io/${text}`;
  const registry = canonicalName(first);
  const rest = text.slice(slash + 1);
  return registry === 'docker.io' && !rest.includes('/') ? `docker.io/library/${rest}` : `${registry}/${rest}`;
}
