import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { messageOf, RegistryError } from '../oci/errors.ts';
import { Departures } from './departures.ts';
import type { ExchangeContext } from './exchange.ts';
import { TrustedProxies } from './forwarded.ts';
import type { ListenerLimits } from './limits.ts';
import type { ListenerOptions } from './listener-options.ts';

export interface BoundAddress {
  readonly host: string;
  readonly port: number;
}

/** What all exchanges of a listener share. */
export function makeContext(
  options: ListenerOptions,
  limits: ListenerLimits,
  isDraining: () => boolean,
): ExchangeContext {
  const prefix = randomBytes(4).toString('hex');
  let count = 0;
  return {
    handler: options.handler,
    lobby: options.lobby ?? (() => undefined),
    observer: options.observer,
    clock: options.clock,
    pool: options.pool,
    departures: new Departures(),
    proxies: new TrustedProxies(options.trustedProxies ?? []),
    mark: options.mark,
    interception: options.interception,
    isOwnName: (name) => options.interception?.isOwnName(name) ?? false,
    fixedHeaders: (options.headers ?? []).flatMap(([name, values]) => values.flatMap((value) => [name, value])),
    limits,
    nextId: () => `${prefix}-${(count++).toString(36)}`,
    isDraining,
  };
}

export function bound(address: AddressInfo): BoundAddress {
  return { host: address.address, port: address.port };
}

export function cannotListen(where: string, setting: string, cause: unknown): RegistryError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const why: Readonly<Record<string, string>> = {
    EADDRINUSE: `another process listens there; stop it or set another ${setting}`,
    EACCES: `this user may not listen there; set ${setting} to a port from 1024 on, or grant the right`,
    EADDRNOTAVAIL: `this machine does not have that address; set ${setting} to one that it has`,
    ENOTFOUND: `no address is known for that name; set ${setting} to an address of this machine`,
  };
  const text = why[code] ?? `${messageOf(cause)}; check ${setting}`;
  return new RegistryError('UNAVAILABLE', `cannot listen on ${where}: ${text}`, { origin: 'operator', cause });
}
