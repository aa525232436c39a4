import ipaddr from 'ipaddr.js';

type Range = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Whose X-Forwarded-* counts. Nobody's, unless told: anybody can send such headers. */
export class TrustedProxies {
  readonly #ranges: readonly Range[];

  /** @param list addresses and CIDR ranges */
  constructor(list: readonly string[]) {
    this.#ranges = list.map((text) => (text.includes('/') ? ipaddr.parseCIDR(text) : single(text)));
  }

  trust(address: string): boolean {
    if (this.#ranges.length === 0 || !ipaddr.isValid(address)) return false;
    const parsed = ipaddr.process(address);
    return this.#ranges.some(([range, bits]) => parsed.kind() === range.kind() && parsed.match(range, bits));
  }

  /**
   * The client's address, from a list to which each proxy added whom it was talking to: the last one that is not itself a
   * trusted proxy. What stands before that one is hearsay.
   */
  clientOf(forwardedFor: string, peer: string): string {
    let client = peer;
    for (const entry of forwardedFor.split(',').toReversed()) {
      const address = withoutPort(entry.trim());
      if (!ipaddr.isValid(address)) return client;
      client = address;
      if (!this.trust(address)) return client;
    }
    return client;
  }
}

/** `1.2.3.4` for an IPv4 client of an IPv6 socket. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return '';
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

/** The first of a list: what the outermost proxy was asked for. */
export function firstOf(list: string): string {
  const comma = list.indexOf(',');
  return (comma < 0 ? list : list.slice(0, comma)).trim();
}

function single(text: string): Range {
  const address = ipaddr.process(text);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}

function withoutPort(entry: string): string {
  if (entry.startsWith('[')) return entry.slice(1, Math.max(entry.indexOf(']'), 1));
  return entry.indexOf(':') === entry.lastIndexOf(':') ? (entry.split(':')[0] ?? '') : entry;
}
