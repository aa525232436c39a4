/** A client behind an HTTPS proxy: a tunnel and a handshake for every request, as dockerd has it. */
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { get } from './client.ts';
import type { Answer, RequestOptions } from './client.ts';

export interface TunnelOptions {
  /** `quay.io:443` */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly localAddress?: string;
}

/** Asks the proxy for a tunnel; the status other than 200 is an error that says it. */
export async function openTunnel(
  proxyPort: number,
  { target, headers = {}, localAddress }: TunnelOptions,
): Promise<Socket> {
  const asked = request({ host: '127.0.0.1', port: proxyPort, method: 'CONNECT', path: target, headers, localAddress });
  asked.end();
  const answered = new Promise<Socket>((resolve, reject) => {
    asked.once('error', reject);
    asked.once('connect', (response, socket) => {
      if (response.statusCode === 200) return resolve(socket);
      reject(Object.assign(new Error(`the proxy answered ${response.statusCode}`), { status: response.statusCode }));
    });
  });
  return await answered;
}

export interface ThroughOptions extends TunnelOptions {
  readonly ca: string;
  /** Default: the target's host; `false` sends none. */
  readonly servername?: string | false;
  readonly session?: Buffer;
  /** Tunnels are used again. Default: each request has a tunnel of its own. */
  readonly keepAlive?: boolean;
}

export async function secureTunnel(proxyPort: number, options: ThroughOptions): Promise<TLSSocket> {
  const socket = await openTunnel(proxyPort, options);
  const host = options.target.replace(/:\d+$/, '');
  const name = options.servername ?? host;
  const given: ConnectionOptions = {
    socket,
    ca: options.ca,
    ...(name === false ? { checkServerIdentity: () => undefined } : { servername: name }),
    ...(options.session === undefined ? {} : { session: options.session }),
  };
  const secured = connectTls(given);
  await Promise.race([
    once(secured, 'secureConnect'),
    once(secured, 'close').then(() => Promise.reject(new Error('closed'))),
  ]);
  return secured;
}

/** An agent for `get`. */
export function through(proxyPort: number, options: ThroughOptions): Agent {
  const agent = new Agent({ keepAlive: options.keepAlive ?? false });
  const hand = async (callback: (error: Error | null, socket?: Socket) => void): Promise<void> => {
    try {
      callback(null, await secureTunnel(proxyPort, options));
    } catch (error) {
      callback(error as Error);
    }
  };
  const create = (_options: object, callback: (error: Error | null, socket?: Socket) => void): void => {
    void hand(callback);
  };
  return Object.assign(agent, { createConnection: create });
}

export interface NamedOptions {
  readonly ca: string;
  /** Undefined sends none. */
  readonly servername: string | undefined;
  /** Connections are used again. Default: each request has one of its own. */
  readonly keepAlive?: boolean;
}

/** An agent for `get`, whose TLS connections go to where a name is said to be. */
export function led(port: number, { ca, servername, keepAlive = false }: NamedOptions): Agent {
  const checkServerIdentity = (): undefined => undefined;
  const create = (): TLSSocket =>
    connectTls({
      host: '127.0.0.1',
      port,
      ca,
      ...(servername === undefined ? { checkServerIdentity } : { servername }),
    });
  return Object.assign(new Agent({ keepAlive }), { createConnection: create });
}

export interface ProxiedOptions {
  /** PEM of the authority to trust. */
  readonly ca: string;
  /** Where images have it to be, by where it is: a registry names its token service by its own address. */
  readonly names?: Readonly<Record<string, string>>;
  readonly proxyHeaders?: Readonly<Record<string, string>>;
}

export interface Login {
  readonly username: string;
  readonly password: string;
}

/** A client whose requests to any https URL go through the proxy, and who logs in where it is asked to. */
export class ProxiedClient {
  readonly #proxyPort: () => number;
  readonly #options: ProxiedOptions;
  readonly #tokens = new Map<string, string>();
  login: Login | undefined;

  constructor(proxyPort: () => number, options: ProxiedOptions, login?: Login) {
    this.#proxyPort = proxyPort;
    this.#options = options;
    this.login = login;
  }

  /** One request, as it is. */
  async ask(url: string, options: RequestOptions = {}): Promise<Answer> {
    const { host, hostname, port, pathname, search } = new URL(url);
    const target = `${hostname}:${port === '' ? '443' : port}`;
    const { ca, proxyHeaders = {} } = this.#options;
    const agent = through(this.#proxyPort(), { target, ca, headers: proxyHeaders });
    const headers = { host, ...options.headers };
    return await get(`http://${host}${pathname}${search}`, { ...options, headers, agent });
  }

  /** As clients do it: asks, and once more with what the challenge wants. Tokens are used again. */
  async request(url: string, options: RequestOptions = {}): Promise<Answer> {
    const scope = /\/v2\/(.*)\/(?:manifests|blobs|tags|referrers)\//.exec(url)?.[1] ?? '';
    const held = this.#tokens.get(scope);
    const first = await this.ask(url, withAuthorization(options, held));
    if (first.status !== 401) return first;
    const authorization = await this.#answer(first.headers['www-authenticate'] ?? '', scope);
    if (authorization === undefined) return first;
    this.#tokens.set(scope, authorization);
    return await this.ask(url, withAuthorization(options, authorization));
  }

  /** What it shows, as it shows it. */
  get tokens(): Iterable<string> {
    return this.#tokens.values();
  }

  forgetTokens(): void {
    this.#tokens.clear();
  }

  async #answer(challenge: string, repository: string): Promise<string | undefined> {
    const basic =
      this.login && `Basic ${Buffer.from(`${this.login.username}:${this.login.password}`).toString('base64')}`;
    if (/^basic/i.test(challenge)) return basic;
    const [, realm = '', service = ''] = /realm="([^"]*)",service="([^"]*)"/.exec(challenge) ?? [];
    const url = new URL(realm);
    const named = this.#options.names?.[url.origin] ?? url.origin;
    const query = new URLSearchParams({ service, scope: `repository:${repository}:pull` });
    const { status, body } = await this.ask(
      `${named}${url.pathname}?${query.toString()}`,
      withAuthorization({}, basic),
    );
    if (status !== 200) return undefined;
    return `Bearer ${(JSON.parse(body.toString()) as { readonly token: string }).token}`;
  }
}

function withAuthorization(options: RequestOptions, authorization: string | undefined): RequestOptions {
  return authorization === undefined ? options : { ...options, headers: { ...options.headers, authorization } };
}
