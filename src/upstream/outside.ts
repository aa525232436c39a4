import type { Socket } from 'node:net';
import type { Clock } from '../observe/clock.ts';
import { messageOf, RegistryError } from '../oci/errors.ts';
import { makeDialPolicy } from './addresses.ts';
import type { RelayAnswer, RelayRequest } from './contract.ts';
import { DialRefused, dialTcp } from './dial.ts';
import { viaOf } from './mark.ts';
import { createLookup } from './lookup.ts';
import { createProxies } from './proxy.ts';
import type { Environment } from './proxy.ts';
import { relay, RelayBroken } from './relay.ts';
import { loadUndici } from './undici.ts';

export interface OutsideOptions {
  readonly clock: Clock;
  readonly environment: Environment;
  /** DNS servers; empty is whatever the machine uses. */
  readonly resolver: readonly string[];
  /** Addresses and CIDR ranges that may be dialled whatever they are. */
  readonly allowed: readonly string[];
  /** This machine's own addresses; default: those of its interfaces. */
  readonly ownAddresses?: () => readonly string[];
}

/** For a name, a connection and a proxy together, in milliseconds. */
const connectMs = 10_000;

/**
 * Connects to a host that is no upstream, for somebody else: only where anybody may connect to, judged by the very address.
 * @throws RegistryError `DENIED`, `UPSTREAM_UNREACHABLE`, `UPSTREAM_TIMEOUT`
 */
export async function connectOutside(host: string, port: number, options: OutsideOptions): Promise<Socket> {
  const { clock, environment, resolver, allowed, ownAddresses } = options;
  const proxies = createProxies(undefined, environment);
  const policy = makeDialPolicy({
    upstream: host,
    allowed,
    named: () => false,
    ...(ownAddresses === undefined ? {} : { own: ownAddresses }),
  });
  const lookup = createLookup({
    servers: resolver,
    family: 'any',
    timeoutMs: connectMs,
    setting: 'intercept.resolver',
  });
  const tunnel = (target: { readonly host: string; readonly port: number }) =>
    proxies.tunnel({ ...target, secure: true });
  try {
    return await dialTcp({ host, port, secure: false }, { policy, lookup, clock, connectMs, tunnel });
  } catch (error) {
    const why = messageOf(error);
    if (error instanceof DialRefused) {
      const message = `${why}: this proxy does not connect there; if that is meant, add the address to intercept.dial`;
      throw new RegistryError('DENIED', message, { cause: error });
    }
    const isLate = error instanceof Error && 'code' in error && error.code === 'ETIMEDOUT';
    const code = isLate ? 'UPSTREAM_TIMEOUT' : 'UPSTREAM_UNREACHABLE';
    const advice = error instanceof Error && 'advice' in error ? `; ${String(error.advice)}` : '';
    throw new RegistryError(code, `${host}:${port} cannot be reached: ${why}${advice}`, { cause: error });
  }
}

/** Between two pieces of an answer, and before the first of what somebody reads, in milliseconds. */
const stallMs = 60_000;

/**
 * One request to such a host, over plain HTTP, and its answer, both untouched.
 * @throws RegistryError as `connectOutside` does; the signal's reason
 */
export async function relayOutside(
  host: string,
  port: number,
  request: RelayRequest,
  options: OutsideOptions & { readonly mark: string | undefined },
): Promise<RelayAnswer> {
  const { Client } = await loadUndici();
  const socket = await connectOutside(host, port, options);
  const client = new Client(`http://${request.host}`, {
    // undici goes on only when it is called back later.
    connect: (_target, callback) => queueMicrotask(() => callback(null, socket)),
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const explain = ({ message }: RelayBroken): RegistryError =>
    new RegistryError('UPSTREAM_UNREACHABLE', `${host}:${port} broke off: ${message}; try again`);
  const headers = { ...request.headers, ...viaOf(options.mark, request.headers['via']), host: request.host };
  const { clock } = options;
  try {
    return await relay({ ...request, headers }, { dispatcher: client, clock, headersMs: stallMs, stallMs, explain });
  } catch (error) {
    throw error instanceof RelayBroken ? explain(error) : error;
  } finally {
    // Closes the connection once the answer has come to its end.
    void client.close();
  }
}
