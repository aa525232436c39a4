import type { OutboundProxy } from '../config.ts';
import { Secret } from '../secret.ts';
import { quoted, ValueError } from './value-error.ts';

/**
 * The URL of a registry: http or https, perhaps with a path, without a trailing slash. A `*` in the host stays.
 * @throws ValueError also for credentials in it: they'd be shown wherever the URL is
 */
export function parseRegistryUrl(text: string): string {
  const url = parsed(text, ['http:', 'https:'], 'https://registry.example.com');
  if (url.username !== '' || url.password !== '')
    throw new ValueError('holds credentials; move them to the credentials key');
  if (url.search !== '' || url.hash !== '') throw new ValueError(`${quoted(text)} has a ? or # in it; leave these out`);
  const path = url.pathname.replace(/\/+$/u, '').replace(/\/v2$/u, '');
  return `${url.protocol}//${url.host}${path}`;
}

/**
 * The URL of somebody's service, http or https, exactly as it is written.
 * @throws ValueError
 */
export function parseWebUrl(text: string): string {
  return parsed(text, ['http:', 'https:'], 'https://events.example.com/registry').href;
}

/** What may be shown of a service's URL: neither whom it is asked as nor its query, which may be a token. */
export function shownUrl(text: string): string {
  const { protocol, host, pathname } = new URL(text);
  return `${protocol}//${host}${pathname}`;
}

/**
 * An outbound proxy, its credentials apart from its URL.
 * @throws ValueError
 */
export function parseProxyUrl(text: string): OutboundProxy {
  const url = parsed(
    text,
    ['http:', 'https:', 'socks:', 'socks5:', 'socks5h:'],
    'http://proxy.example.com:3128 or socks5://proxy.example.com:1080',
  );
  return {
    url: `${url.protocol}//${url.host}`,
    username: url.username === '' ? undefined : decodeURIComponent(url.username),
    password: url.password === '' ? undefined : new Secret(decodeURIComponent(url.password)),
  };
}

/**
 * The URL of a service that is asked over TLS only.
 * @throws ValueError
 */
export function parseHttpsUrl(text: string): string {
  return parsed(text, ['https:'], 'https://acme.example.com/directory').href;
}

function parsed(text: string, protocols: readonly string[], example: string): URL {
  const url = URL.parse(text.trim());
  if (url === null || !protocols.includes(url.protocol) || url.host === '') {
    throw new ValueError(`${quoted(text)} is not such a URL; write one like ${example}`);
  }
  if (!isPercentEncoded(url.username + url.password)) {
    throw new ValueError(
      `${quoted(text)} has a % in its credentials that begins no character; write %25 for a % itself`,
    );
  }
  return url;
}

function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
