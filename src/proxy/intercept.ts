import type { Socket } from 'node:net';
import type { Identity } from '../certificates/identity.ts';
import type { ConnectAnswer, ConnectRefusal, Interception } from '../http/interception.ts';
import type { Via } from '../http/message.ts';
import type { Observer } from '../observe/events.ts';
import { admit } from './admission.ts';
import type { AdmissionRules, Doorkeeper } from './admission.ts';
import { decide } from './decide.ts';
import type { Decision, InterceptRules } from './decide.ts';
import { hostOf, parseTarget } from './target.ts';
import type { Target } from './target.ts';

export interface InterceptionOptions extends Doorkeeper {
  /** Asked anew for every connection, so that a reload takes effect at once. */
  readonly rules: () => InterceptRules & AdmissionRules;
  /** Looks whether a registry is there that nobody named, and keeps that in mind for `rules`. */
  readonly explore: (target: Target) => Promise<void>;
  /** A certificate for another host's name. */
  readonly leafFor: (host: string) => Identity;
  /** @throws RegistryError when it may not be connected to, or cannot */
  readonly connectOutside: (host: string, port: number) => Promise<Socket>;
  readonly observer: Observer;
  readonly upgrade: Interception['upgrade'];
  readonly outside: Interception['outside'];
}

/** Who may use the proxy, and where each of their connections goes. */
export function createInterception(options: InterceptionOptions): Interception {
  return {
    connect: async (request) => {
      const admission = await admit(options, { ...request, kind: 'tunnel' });
      if (admission.kind === 'refuse') return admission;
      const target = parseTarget(request.target);
      if (target === undefined) return refused(400, 'the target is not host:port');
      return await answer(options, target, { kind: 'tunnel', guest: admission.guest });
    },
    greet: async ({ servername, clientAddress }) => {
      const admission = await admit(options, { clientAddress, kind: 'sni', proxyAuthorization: undefined });
      if (admission.kind === 'refuse') return admission;
      if (servername === undefined) return { kind: 'own' };
      const target = parseTarget(`${servername}:443`);
      if (target === undefined) return refused(400, 'the name is none');
      return await answer(options, target, { kind: 'sni' });
    },
    admit: (request) => admit(options, request),
    outside: (request, where) => options.outside(request, where),
    upgrade: (request, via) => options.upgrade(request, via),
    isOwnName: (name) => options.rules().isOwnName(name),
  };
}

async function answer(options: InterceptionOptions, target: Target, how: Omit<Via, 'host'>): Promise<ConnectAnswer> {
  const decision = await decided(options, target);
  switch (decision.kind) {
    case 'own':
      return { kind: 'own' };
    case 'intercept': {
      const via: Via = { ...how, host: target.name };
      return { kind: 'end', via, identity: options.leafFor(hostOf(target.name)) };
    }
    case 'tunnel': {
      const outside = await options.connectOutside(target.host, target.port);
      tell(options, target, decision);
      return { kind: 'pass', outside };
    }
    case 'explore':
    case 'refuse':
      tell(options, target, decision);
      return refused(403, decision.why);
  }
}

async function decided(options: InterceptionOptions, target: Target): Promise<Decision> {
  const decision = decide(target, options.rules());
  if (decision.kind !== 'explore') return decision;
  return decide(target, { ...(await explored(options, target)), explores: false });
}

/** The rules once it is known whether a registry is there that nobody named. */
export async function explored<R extends InterceptRules>(
  options: { readonly rules: () => R; readonly explore: InterceptionOptions['explore'] },
  target: Target | undefined,
): Promise<R> {
  if (target !== undefined && decide(target, options.rules()).kind === 'explore') await options.explore(target);
  return options.rules();
}

function tell({ observer }: InterceptionOptions, { name }: Target, { kind }: Decision): void {
  observer.emit({ type: 'proxy.passed', host: name, how: kind === 'tunnel' ? 'tunnelled' : 'refused' });
}

function refused(status: number, message: string): ConnectRefusal {
  return { kind: 'refuse', status, message };
}
