import type { EndpointConfig, NotificationsConfig } from '../config.ts';
import { Secret } from '../secret.ts';
import type { FileConfig } from '../schema/schema.ts';
import type { Resolving } from './resolving.ts';

type Endpoint = NonNullable<NonNullable<FileConfig['notifications']>['endpoints']>[number];

/** registry's own. */
const defaults = { timeoutMs: 1_000, threshold: 10, backoffMs: 1_000 };

export function resolveNotifications(given: FileConfig['notifications'], resolving: Resolving): NotificationsConfig {
  const { endpoints = [], events } = given ?? {};
  const known: EndpointConfig[] = [];
  for (const [index, endpoint] of endpoints.entries()) {
    if (endpoint.disabled === true) continue;
    const read = resolveEndpoint(endpoint, index, resolving);
    if (read === undefined) continue;
    if (known.some(({ name }) => name === read.name)) {
      const text = `is called ${read.name}, as another one is; write another name, for each has a queue of its own`;
      resolving.problem(['notifications', 'endpoints', index], text);
    }
    known.push(read);
  }
  return { includeReferences: events?.includereferences ?? false, endpoints: known };
}

function resolveEndpoint(endpoint: Endpoint, index: number, resolving: Resolving): EndpointConfig | undefined {
  const { url, headers = {}, ignore } = endpoint;
  if (url === undefined) {
    resolving.problem(['notifications', 'endpoints', index], 'has no url; write where events are to be sent');
    return undefined;
  }
  const { href, authorization } = withoutCredentials(url);
  const given = { ...(authorization === undefined ? {} : { Authorization: [authorization] }), ...headers };
  return {
    name: endpoint.name ?? href,
    url: href,
    headers: Object.entries(given).map(([name, values]) => [name, values.map((value) => new Secret(value))]),
    // A zero is registry's way of saying nothing.
    timeoutMs: endpoint.timeout || defaults.timeoutMs,
    threshold: endpoint.threshold || defaults.threshold,
    backoffMs: endpoint.backoff || defaults.backoffMs,
    ignoredMediaTypes: [...(endpoint.ignoredmediatypes ?? []), ...(ignore?.mediatypes ?? [])],
    ignoredActions: ignore?.actions ?? [],
  };
}

/** A URL may hold a user and a password, which are sent as such, and shown nowhere. */
function withoutCredentials(text: string): { readonly href: string; readonly authorization: string | undefined } {
  const url = new URL(text);
  const { username, password } = url;
  if (username === '' && password === '') return { href: text, authorization: undefined };
  url.username = '';
  url.password = '';
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { href: url.href, authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}
