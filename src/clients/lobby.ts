import { isIPv6 } from 'node:net';
import type { Authority, AuthorityKind } from '../certificates/authority.ts';
import type { Config } from '../config/config.ts';
import type { Lobby, Reply, Request } from '../http/message.ts';
import { version } from '../observe/version.ts';
import { factsOf, targetAt } from './facts.ts';
import type { ClientFacts } from './facts.ts';
import { isProbeName, probeTag } from './probe/probe-image.ts';
import type { RuntimeName } from './runtimes.ts';
import { setupScript } from './setup/script.ts';
import type { Sightings } from './probe/sightings.ts';
import type { ClientTarget } from './target.ts';

export interface ClientLobbyOptions {
  readonly config: () => Config;
  readonly authorities: () => readonly Authority[];
  readonly sightings: Sightings;
}

/**
 * What a machine that is to become a client asks before it has anything but our address: `/setup.sh`, which sets it up;
 * `/setup/client.json`, what there is to know; `/setup/probe/HEX`, which requests have come for a probe.
 */
export function createClientLobby(options: ClientLobbyOptions): Lobby {
  return (request) => {
    if (!request.url.startsWith('/setup') || request.via !== undefined) return undefined;
    const { pathname } = new URL(request.url, 'http://us');
    const answer = answers[pathname] ?? (pathname.startsWith('/setup/probe/') ? probe : undefined);
    if (answer === undefined) return undefined;
    if (request.method === 'GET' || request.method === 'HEAD') return answer(options, request, pathname);
    return textReply(405, 'read it with GET\n', { Allow: 'GET, HEAD' });
  };
}

type Answer = (options: ClientLobbyOptions, request: Request, pathname: string) => Reply;

const answers: Readonly<Record<string, Answer>> = {
  '/setup.sh': (options, request) => script(options, request),
  // Where docker-registry-proxy has its own.
  '/setup/systemd': (options, request) => script(options, request, 'docker'),
  '/setup/client.json': (options) => jsonReply(ourFacts(options)),
};

function script(options: ClientLobbyOptions, request: Request, unasked?: RuntimeName): Reply {
  const target = targetOf(options, request);
  if (target !== undefined)
    return textReply(200, setupScript(target, unasked), { 'Content-Type': 'text/x-shellscript' });
  return textReply(400, 'the Host header is no name or address of a server; ask by one\n');
}

function ourFacts({ config, authorities }: ClientLobbyOptions): ClientFacts {
  const pemOf = (wanted: AuthorityKind): string | undefined => {
    const authority = authorities().find(({ kind }) => kind === wanted);
    return authority
      ?.trusted()
      .map(({ root }) => root)
      .join('');
  };
  return factsOf(config(), { server: pemOf('server'), interception: pemOf('interception') }, version);
}

function probe({ sightings }: ClientLobbyOptions, _request: Request, pathname: string): Reply {
  const name = `entrepot-probe/${pathname.slice('/setup/probe/'.length)}`;
  if (!isProbeName(name)) return textReply(404, 'a probe has a name of 32 hexadecimal digits\n');
  return jsonReply({ image: `${name}:${probeTag}`, seen: sightings.of(name) });
}

/**
 * As the client has reached us: what it is told to write into its files begins with this. `undefined` for a Host header that
 * is no name or address; whatever else it may be, it is not repeated.
 */
function targetOf(options: ClientLobbyOptions, request: Request): ClientTarget | undefined {
  const { http } = options.config();
  const facts = ourFacts(options);
  if (http.externalUrl !== undefined) return targetAt(http.externalUrl, facts);
  if (!isHost(request.host)) return undefined;
  const scheme = http.tls === undefined ? request.scheme : 'https';
  return targetAt(`${scheme}://${request.host.toLowerCase()}`, facts);
}

const labels = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/i;

function isHost(text: string): boolean {
  const [, bracketed, plain = '', port = '1'] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  if (Number(port) < 1 || Number(port) > 65_535 || text.length > 255) return false;
  return bracketed === undefined ? labels.test(plain) : isIPv6(bracketed);
}

function jsonReply(value: unknown): Reply {
  return textReply(200, `${JSON.stringify(value)}\n`, { 'Content-Type': 'application/json' });
}

export function textReply(status: number, text: string, headers: Readonly<Record<string, string>> = {}): Reply {
  const bytes = Buffer.from(text);
  return {
    status,
    headers: {
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': String(bytes.length),
      'Cache-Control': 'no-store',
      ...headers,
    },
    body: { kind: 'bytes', bytes },
  };
}
