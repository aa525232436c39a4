import { connect as connectTcp, isIP } from 'node:net';
import type { LookupFunction, Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import type { buildConnector } from 'undici';
import type { Clock } from '../observe/clock.ts';
import type { DialPolicy } from './addresses.ts';
import type { Lookup } from './lookup.ts';
import { byWayOf, foundBy } from './on-the-way.ts';

export interface DialOptions {
  readonly policy: DialPolicy;
  readonly lookup: Lookup;
  readonly clock: Clock;
  /** For name, connection, proxy and TLS together. */
  readonly connectMs: number;
  readonly tls: TlsTrust;
  /** How a target is reached that is not reached directly; `undefined` is directly. */
  readonly tunnel: (target: Target) => Tunnel | undefined;
}

export interface TlsTrust {
  /** All PEM certificates that are trusted; `undefined` for the machine's own. */
  readonly ca: () => Promise<readonly string[] | undefined>;
  readonly insecure: boolean;
}

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
}

/** A TCP connection (with TLS if the target is secure) to an address that is not judged: the operator named it. */
export type DialDirectly = (target: Target, signal: AbortSignal) => Promise<Socket>;

/** A connection through a proxy, still without the target's TLS. */
export type Tunnel = (dial: DialDirectly, signal: AbortSignal) => Promise<Socket>;

/** Not connected on purpose. */
export class DialRefused extends Error {
  override readonly name = 'DialRefused';
  readonly code = 'EACCES';
  readonly advice: string;

  constructor(why: string, advice: string) {
    super(why);
    this.advice = advice;
  }
}

export interface Dialer {
  /** For undici. */
  readonly connect: buildConnector.connector;
  /** The same without judging the address: for a proxy, which the operator named. */
  readonly connectNamed: buildConnector.connector;
  /** True while a new connection is being handed over: a request that starts now is its first. */
  readonly handingOver: boolean;
}

/** The one place where connections to the outside begin. */
export function createDialer(options: DialOptions): Dialer {
  const sessions = new TlsSessions();
  const directly = dialNamed(options, sessions);
  let handingOver = false;
  const connector = (dial: Dial): buildConnector.connector => {
    const handOver = async (
      { hostname, port, protocol, servername }: buildConnector.Options,
      callback: buildConnector.Callback,
    ): Promise<void> => {
      const secure = protocol === 'https:';
      const target = { host: hostname, port: Number(port) || (secure ? 443 : 80), secure };
      // undici's type does not tell of the null that it gives where it knows no name.
      const name = servername || hostname;
      let socket: Socket;
      try {
        socket = await within(target, options, (signal) => dial(target, name, signal));
      } catch (error) {
        callback(error instanceof Error ? error : new Error(String(error)), null);
        return;
      }
      handingOver = true;
      try {
        callback(null, socket);
      } finally {
        handingOver = false;
      }
    };
    return (target, callback) => void handOver(target, callback);
  };
  return {
    get handingOver() {
      return handingOver;
    },
    connect: connector((target, name, signal) => dialJudged(target, name, options, sessions, signal)),
    connectNamed: connector((target, _name, signal) => byWayOf(target, directly(target, signal), signal)),
  };
}

/**
 * A connection to one of the addresses of a host that may be dialled, without TLS.
 * @throws DialRefused when there is none
 */
export function dialTcp(target: Target, options: Omit<DialOptions, 'tls'>): Promise<Socket> {
  const trust: TlsTrust = { insecure: false, ca: async () => undefined };
  const all = { ...options, tls: trust };
  const sessions = new TlsSessions();
  return within(target, all, (signal) => dialJudged({ ...target, secure: false }, target.host, all, sessions, signal));
}

type Dial = (target: Target, servername: string, signal: AbortSignal) => Promise<Socket>;

async function within(
  target: Target,
  { clock, connectMs }: DialOptions,
  dial: (signal: AbortSignal) => Promise<Socket>,
): Promise<Socket> {
  const aborter = new AbortController();
  const timer = clock.setTimer(connectMs, () => {
    aborter.abort(timeoutError(`no connection to ${target.host}:${target.port} within ${connectMs} ms`));
  });
  try {
    return await dial(aborter.signal);
  } finally {
    timer.cancel();
  }
}

async function dialJudged(
  target: Target,
  servername: string,
  options: DialOptions,
  sessions: TlsSessions,
  signal: AbortSignal,
): Promise<Socket> {
  const tunnel = options.tunnel(target);
  if (tunnel !== undefined) refuseLiteral(target.host, options.policy);
  const secure = target.secure ? await prepareTls(servername, options.tls, sessions, signal) : undefined;
  const socket =
    tunnel === undefined
      ? await tcp(target, await permitted(target.host, options, signal), signal)
      : await tunnel(dialNamed(options, sessions), signal);
  return secure === undefined ? socket : await secure(socket);
}

/** For proxies: the operator named them, wherever they are. */
function dialNamed(options: DialOptions, sessions: TlsSessions): DialDirectly {
  return async (target, signal) => {
    const secure = target.secure ? await prepareTls(target.host, options.tls, sessions, signal) : undefined;
    const addresses = isIP(target.host) ? [target.host] : await abortable(options.lookup(target.host), signal);
    const socket = await tcp(target, addresses, signal);
    return secure === undefined ? socket : await secure(socket);
  };
}

/** The addresses of a host that may be connected to: at least one. */
async function permitted(host: string, options: DialOptions, signal: AbortSignal): Promise<readonly string[]> {
  const { lookup } = options;
  const addresses = isIP(host) ? [host] : await foundBy(lookup.service, abortable(lookup(host), signal), signal);
  const refusals = addresses.map((address) => options.policy.refusal(host, address));
  const good = addresses.filter((_, index) => refusals[index] === undefined);
  if (good.length > 0) return good;
  const refusal = refusals[0];
  if (refusal) throw new DialRefused(refusal.why, refusal.advice);
  throw new Error(`${host} has no address`);
}

/** Behind a proxy names are the proxy's to resolve; an address in the URL is still ours to refuse. */
function refuseLiteral(host: string, policy: DialPolicy): void {
  const literal = /^localhost$|\.localhost$/i.test(host) ? '127.0.0.1' : host;
  const refusal = isIP(literal) ? policy.refusal(host, literal) : undefined;
  if (refusal) throw new DialRefused(refusal.why, refusal.advice);
}

async function tcp(target: Target, addresses: readonly string[], signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted();
  const found = addresses.map((address) => ({ address, family: isIP(address) }));
  const given: LookupFunction = (_host, options, callback) => {
    const first = found[0];
    if (options.all === true) callback(null, found);
    else if (first) callback(null, first.address, first.family);
  };
  const host = isIP(target.host) ? target.host : 'address-is-given';
  const socket = connectTcp({ host, port: target.port, lookup: given, autoSelectFamily: true, noDelay: true });
  socket.setKeepAlive(true, 60_000);
  return await arrival(socket, 'connect', signal);
}

/** TLS for a connection that is still to be made: while files are read, nobody would hear what happens to a socket. */
async function prepareTls(
  servername: string,
  trust: TlsTrust,
  sessions: TlsSessions,
  signal: AbortSignal,
): Promise<(socket: Socket) => Promise<Socket>> {
  const ca = await abortable(trust.ca(), signal);
  return (socket) => {
    const session = sessions.get(servername);
    const options: ConnectionOptions = {
      socket,
      // RFC 6066, 3: never an address.
      ...(isIP(servername) ? { host: servername } : { servername }),
      ALPNProtocols: ['http/1.1'],
      rejectUnauthorized: !trust.insecure,
      ...(ca === undefined ? {} : { ca: [...ca] }),
      ...(session === undefined ? {} : { session }),
    };
    const secured = connectTls(options);
    secured.on('session', (ticket) => sessions.set(servername, ticket));
    return arrival(secured, 'secureConnect', signal);
  };
}

function arrival<S extends Socket>(socket: S, event: 'connect' | 'secureConnect', signal: AbortSignal): Promise<S> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      socket.off(event, arrived);
      socket.off('error', failed);
      socket.off('close', closed);
      signal.removeEventListener('abort', aborted);
      act();
    };
    const arrived = (): void => settle(() => resolve(socket));
    const failed = (error: Error): void =>
      settle(() => {
        socket.on('error', () => {});
        socket.destroy();
        reject(error);
      });
    const closed = (): void => failed(new Error('the connection was closed before it was ready'));
    const aborted = (): void => failed(signal.reason);
    socket.once(event, arrived);
    socket.once('error', failed);
    socket.once('close', closed);
    signal.addEventListener('abort', aborted, { once: true });
    if (signal.aborted) aborted();
  });
}

/** The promise, or the signal's reason if that comes first; the promise's owner goes on. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => reject(signal.reason);
    signal.addEventListener('abort', aborted, { once: true });
    if (signal.aborted) aborted();
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted));
  });
}

export function timeoutError(text: string): Error {
  return Object.assign(new Error(text), { code: 'ETIMEDOUT' });
}

/** Resumption saves a round trip and the handshake's arithmetic for every connection after the first. */
class TlsSessions {
  readonly #max = 64;
  readonly #sessions = new Map<string, Buffer>();

  get(name: string): Buffer | undefined {
    return this.#sessions.get(name);
  }

  set(name: string, session: Buffer): void {
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size >= this.#max && oldest !== undefined && !this.#sessions.has(name)) {
      this.#sessions.delete(oldest);
    }
    this.#sessions.set(name, session);
  }
}
