import type { Authorization } from './authorization.ts';
import type { HttpClient, Outgoing } from './client.ts';
import type { Head, Receiver } from './exchange.ts';

/** As many as browsers and Go's clients allow, or nearly. */
export const redirectsMax = 10;

/** An answer that is no redirect, and where it came from. */
export interface Arrival {
  readonly head: Head;
  /** Of the last hop: perhaps signed, never to be kept or told. */
  readonly url: URL;
  readonly role: Outgoing['role'];
  /** What was shown at the last hop, when that is another origin than the first. */
  readonly authorization: Authorization | undefined;
}

export interface Travel {
  /** Plain http is all right, too. */
  readonly allowPlain: boolean;
  /** Who we are to another origin than the first. */
  readonly authorize?: (url: URL) => Promise<Authorization>;
}

/**
 * Sends a request and follows where it is sent, relative or absolute, over several hops. Its Authorization goes to the first
 * origin alone: once left, it is not sent again, not even to that origin.
 * @throws RegistryError `UPSTREAM_INVALID` after too many hops, or one that leads nowhere we go
 */
export async function sendFollowing(
  client: HttpClient,
  first: Outgoing,
  receiver: Receiver,
  travel: Travel,
): Promise<Arrival> {
  let outgoing = first;
  let authorization: Authorization | undefined;
  for (let hop = 0; hop <= redirectsMax; hop++) {
    const head = await client.send(outgoing, {
      head: (answer) => (locationOf(answer) === undefined ? receiver.head(answer) : 'drain'),
      data: (chunk) => receiver.data(chunk),
    });
    const location = locationOf(head);
    const { url: from, role } = outgoing;
    if (location === undefined) return { head, url: from, role, authorization };
    outgoing = redirected(outgoing, location, client, travel.allowPlain);
    if (outgoing.url.origin === from.origin) continue;
    authorization = await travel.authorize?.(outgoing.url);
    const header = authorization?.header;
    if (header !== undefined) outgoing = { ...outgoing, headers: { ...outgoing.headers, authorization: header } };
  }
  throw client.invalid(outgoing, `sent us on more than ${redirectsMax} times`);
}

const redirectStatuses = new Set([301, 302, 303, 307, 308]);

function locationOf({ status, headers }: Head): string | undefined {
  return redirectStatuses.has(status) ? headers.location : undefined;
}

function redirected(from: Outgoing, location: string, client: HttpClient, allowPlain: boolean): Outgoing {
  const url = URL.parse(location, from.url);
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.password !== '') {
    throw client.invalid(from, 'sent us to something that is no http or https URL');
  }
  if (url.protocol === 'http:' && from.url.protocol === 'https:' && !allowPlain) {
    throw client.invalid(from, `sent us from https to plain http (${url.host})`);
  }
  if (from.method === 'POST') throw client.invalid(from, `sent a POST on to ${url.host}`);
  url.hash = '';
  if (url.origin === from.url.origin) return { ...from, url };
  const { authorization: _left, ...headers } = from.headers;
  return { ...from, url, headers, withCredentials: false, role: from.kind === 'blob' ? 'link' : 'redirect' };
}
