/** What becomes of a connection that a client wants to somewhere else: one pure function of where, and of the rules. */
import { isIP } from 'node:net';
import type { Target } from './target.ts';

/** The rules, as the configuration has them at the moment. */
export interface InterceptRules {
  /** One of the names by which clients call this server. */
  isOwnName(name: string): boolean;
  /** The upstream whose registry or token service is there, where it is one that is intercepted. */
  upstreamAt(name: string): string | undefined;
  /** Whatever behaves like a registry is intercepted. */
  readonly explores: boolean;
  /** What becomes of all others. */
  readonly others: 'refuse' | 'tunnel';
  /** Where others may be connected to. */
  readonly ports: readonly number[];
}

/**
 * - `own`: this server itself is meant; nobody is dialled.
 * - `intercept`: an upstream's registry or token service.
 * - `explore`: it depends on whether a registry is there.
 * - `tunnel`: connected through, untouched, if the address that it leads to may be dialled.
 */
export type Decision =
  | { readonly kind: 'own' }
  | { readonly kind: 'intercept'; readonly upstream: string }
  | { readonly kind: 'tunnel' }
  | { readonly kind: 'explore' | 'refuse'; readonly why: string };

export function decide(target: Target, rules: InterceptRules): Decision {
  if (rules.isOwnName(target.name)) return { kind: 'own' };
  const upstream = rules.upstreamAt(target.name);
  if (upstream !== undefined) return { kind: 'intercept', upstream };
  const why = `${target.name} is not a registry that this proxy serves; name it under "upstreams:", list the host in the client's NO_PROXY, or set intercept.others: tunnel`;
  if (rules.others === 'refuse' && !rules.explores) return { kind: 'refuse', why };
  if (!rules.ports.includes(target.port)) {
    const ports = rules.ports.join(', ');
    return { kind: 'refuse', why: `port ${target.port} is not connected to, only ${ports} (intercept.ports)` };
  }
  // An address is nobody's name: whoever is there has to be named.
  const explores = rules.explores && isIP(target.host) === 0;
  if (explores) return { kind: 'explore', why };
  return rules.others === 'refuse' ? { kind: 'refuse', why } : { kind: 'tunnel' };
}
