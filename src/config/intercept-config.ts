import type { ListenAddress } from './config.ts';

/** The transparent proxy. */
export interface InterceptConfig {
  /** Those of the upstreams, a list of them, or whatever behaves like a registry. */
  readonly hosts:
    | { readonly kind: 'upstreams' }
    | { readonly kind: 'list'; readonly names: readonly string[] }
    | { readonly kind: 'any' };
  /** What becomes of other hosts. */
  readonly others: 'refuse' | 'tunnel';
  /** To which others may be connected. */
  readonly ports: readonly number[];
  /** Addresses and CIDR ranges that others may be at though they are private, or this machine's. */
  readonly dial: readonly string[];
  /** DNS servers, as `address` or `address:port`; empty is the machine's own. */
  readonly resolver: readonly string[];
  /** Besides `http.listen`: where names that lead here are answered, by SNI or Host. */
  readonly listen: readonly ListenAddress[];
  /** Addresses and CIDR ranges that may use the proxy; empty is everybody. */
  readonly clients: readonly string[];
  /** Whether clients have to log in to the proxy itself; by `rules`, where nothing is open to anybody. */
  readonly auth: 'none' | 'rules' | 'required';
  readonly push: 'passthrough' | 'refuse';
  /** For how long a client's right to read counts before it is proved again. */
  readonly proofMs: number;
  /** For how long it counts while its upstream is away. */
  readonly outageMs: number;
}
