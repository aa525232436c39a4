import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';

/** Whether an address may be dialled for a host. */
export interface DialPolicy {
  /** `undefined` is leave to dial; otherwise why not, and what to do if it is meant. */
  refusal(host: string, address: string): { readonly why: string; readonly advice: string } | undefined;
}

export interface DialPolicyOptions {
  readonly upstream: string;
  /** Addresses and CIDR ranges that may be dialled whatever they are. */
  readonly allowed: readonly string[];
  /** Hosts that the configuration names, lower case: these may be in private networks. */
  readonly named: (host: string) => boolean;
  /** This machine's own addresses; default: those of its interfaces. */
  readonly own?: () => readonly string[];
}

type Address = ReturnType<typeof ipaddr.parse>;

/**
 * Names are not to be trusted with where we connect: a name that anybody may register can point at our own machine, at a
 * cloud's metadata service, at the neighbours (server-side request forgery, DNS rebinding). So it is the address that is
 * judged, the very one that is connected to.
 */
export function makeDialPolicy(options: DialPolicyOptions): DialPolicy {
  const allowed = options.allowed.map(parseNetwork);
  const own = options.own ?? interfaceAddresses;
  return {
    refusal(host, text) {
      const address = ipaddr.process(text);
      if (allowed.some((network) => within(address, network))) return undefined;
      const why = judge(address, own, options.named(host));
      if (why === undefined) return undefined;
      const isHere = why === ownAddress;
      const real = isHere ? 'where the name leads here on purpose, set intercept.resolver; ' : '';
      const advice = `${real}if that is meant, add ${text} to upstreams.${options.upstream}.dial`;
      return { why: `${host} is at ${text}, ${why}`, advice };
    },
  };
}

const ownAddress = 'an address of this machine';

function judge(address: Address, own: () => readonly string[], named: boolean): string | undefined {
  const inner = embedded(address);
  if (inner !== undefined) return judge(inner, own, named);
  const text = address.toString();
  if (metadataAddresses.has(text)) return "a cloud's metadata service";
  const range: string = address.range();
  const never = neverDialled[range];
  if (never !== undefined) return never;
  if (own().some((mine) => ipaddr.isValid(mine) && ipaddr.process(mine).toString() === text)) {
    return ownAddress;
  }
  return range === 'unicast' || named ? undefined : `in a private network (${range})`;
}

const neverDialled: Readonly<Record<string, string>> = {
  loopback: 'a loopback address',
  linkLocal: 'a link-local address',
  unspecified: 'the unspecified address',
  multicast: 'a multicast address',
  broadcast: 'the broadcast address',
};

/** Where the clouds' metadata services are. */
export const metadataNetworks: readonly string[] = ['169.254.0.0/16', 'fd00:ec2::/32', '100.100.100.200'];

/** Those outside 169.254.0.0/16: Alibaba, Azure's host, Oracle, and AWS over IPv6. */
const metadataAddresses = new Set(['100.100.100.200', '168.63.129.16', '192.0.0.192', 'fd00:ec2::254']);

/**
 * The IPv4 address that an IPv6 address leads to (RFC 6052: NAT64; RFC 3056: 6to4; RFC 4291, 2.5.5.1: IPv4-compatible;
 * RFC 5214: ISATAP, in whatever network).
 */
function embedded(address: Address): Address | undefined {
  if (address.kind() === 'ipv4') return undefined;
  const bytes = address.toByteArray();
  const range: string = address.range();
  if (range === 'rfc6052' || range === 'rfc6145' || isCompatible(bytes) || isIsatap(bytes))
    return ipaddr.fromByteArray(bytes.slice(12));
  return range === '6to4' ? ipaddr.fromByteArray(bytes.slice(2, 6)) : undefined;
}

/** `::` and `::1`, which have this form, are what they are. */
function isCompatible(bytes: readonly number[]): boolean {
  return bytes.slice(0, 12).every((byte) => byte === 0) && bytes.slice(12, 15).some((byte) => byte !== 0);
}

function isIsatap(bytes: readonly number[]): boolean {
  const [first = 0, ...rest] = bytes.slice(8, 12);
  // Two bits of the first byte say whether the IPv4 address is unique, and one's own or a group's.
  return (first & 0xfc) === 0 && rest.join() === '0,94,254';
}

function parseNetwork(text: string): [Address, number] {
  if (text.includes('/')) return ipaddr.parseCIDR(text);
  const address = ipaddr.process(text);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}

function within(address: Address, [network, bits]: [Address, number]): boolean {
  return address.kind() === network.kind() && address.match(network, bits);
}

function interfaceAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
}
