import { isIPv6 } from 'node:net';
import { quoted, ValueError } from './value-error.ts';

/**
 * An upstream's name as it is looked up: lower case, without a final dot, without the default port. undefined for what
 * can't be a host: names arrive from clients, too. The same few come with every request, and several times in each.
 */
export function upstreamName(text: string): string | undefined {
  const known = names.get(text);
  if (known !== undefined) return known;
  const name = parsedName(text);
  if (name === undefined || text.length > namedCharactersMax) return name;
  if (names.size >= namesMax) names.clear();
  names.set(text, name);
  return name;
}

const names = new Map<string, string>();
/** What is remembered of them at most. */
const namesMax = 1_000;
const namedCharactersMax = 300;

function parsedName(text: string): string | undefined {
  const [, bracketed, plain, port] =
    /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/u.exec(text.trim().toLowerCase()) ?? [];
  const host = bracketed === undefined ? plain?.replace(/\.$/u, '') : `[${bracketed}]`;
  if (host === undefined || host.length > hostCharactersMax) return undefined;
  if (bracketed === undefined ? !hostName.test(host) : !isIPv6(bracketed)) return undefined;
  return port === undefined || Number(port) === defaultPort ? host : `${host}:${Number(port)}`;
}

/**
 * The same for a name in the configuration, where `*` stands for one part between dots.
 * @throws ValueError
 */
export function parseUpstreamName(text: string): string {
  if (text.trim() === '*')
    throw new ValueError('"*" would let clients choose where we connect to; name a domain, such as *.example.com');
  if (text.split('*').length - 1 > starsMax || text.includes('**')) {
    throw new ValueError(
      `${quoted(text)} has too many stars; write at most ${starsMax}, each for one part between dots`,
    );
  }
  const name = upstreamName(text.replaceAll('*', starStandIn));
  if (name === undefined)
    throw new ValueError(
      `${quoted(text)} is not the name of a registry; write its host as it stands in image names, such as quay.io or registry.example.com:5000`,
    );
  return name.replaceAll(starStandIn, '*');
}

/**
 * A host or host:port, exact.
 * @throws ValueError
 */
export function parseHost(text: string): string {
  const name = upstreamName(text);
  if (name === undefined)
    throw new ValueError(
      `${quoted(text)} is not a host; write its exact name, such as auth.example.com, without https://`,
    );
  return name;
}

const defaultPort = 443;
const starsMax = 3;
const hostCharactersMax = 253;
/** Underscores are no host name's, but names with them exist in container networks. */
const hostName = /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/u;
/** Passes as part of a name while the star is away. */
const starStandIn = 'x--star--x';
