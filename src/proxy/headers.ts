import { isStandIn } from '../access/stand-in.ts';

/** Of a connection, not of what is said on it (RFC 9110, 7.6.1). */
const ofTheConnection: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  // Not of the connection, but it says that the same is to be had elsewhere (RFC 7838), past this server.
  'alt-svc',
]);

/** Nor these: who is asked is said anew, and who waits for leave to go on has it from us. */
const notPassedOn: ReadonlySet<string> = new Set([...ofTheConnection, 'host', 'expect']);

/** What of a client's request is for the other end. */
export function requestHeaders(
  headers: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const named = namedIn(headers['connection']);
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || notPassedOn.has(name) || named.has(name)) continue;
    if (name !== 'authorization' || !isStandIn(value)) kept[name] = value;
  }
  return kept;
}

/** What of an answer is for the client. */
export function answerHeaders(
  headers: readonly (readonly [name: string, value: string])[],
): readonly (readonly [name: string, value: string])[] {
  const connection = headers.filter(([name]) => name.toLowerCase() === 'connection').map(([, value]) => value);
  const named = namedIn(connection.join(','));
  return headers.filter(([name]) => !ofTheConnection.has(name.toLowerCase()) && !named.has(name.toLowerCase()));
}

function namedIn(connection: string | undefined): ReadonlySet<string> {
  return new Set((connection ?? '').split(',').map((name) => name.trim().toLowerCase()));
}
