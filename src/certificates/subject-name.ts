import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** Whom a certificate is for, spelled in one way: lower case, no final dot, the shortest form of an address. */
export interface SubjectName {
  readonly kind: 'dns' | 'address';
  readonly text: string;
}

/** `undefined` for what no certificate can name; what asks for a name comes from clients. */
export function parseSubjectName(text: string): SubjectName | undefined {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  const address = bare.split('%', 1)[0] ?? '';
  if (isIP(address) !== 0) return { kind: 'address', text: ipaddr.process(address).toString() };
  const name = text.toLowerCase().replace(/\.$/, '');
  return name.length <= nameCharactersMax && dnsName.test(name) ? { kind: 'dns', text: name } : undefined;
}

/** Whether the name is the domain or below it (RFC 5280, 4.2.1.10). */
export function isWithin(name: string, domain: string): boolean {
  return name === domain || name.endsWith(`.${domain}`);
}

const nameCharactersMax = 253;
/** Underscores are no host name's, but names with them exist in container networks. */
const dnsName = /^(?=.*[a-z_-])[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;
