import type { Socket } from 'node:net';
import type { Identity } from '../certificates/identity.ts';
import type { Admission, ConnectAnswer, ConnectRefusal, Greeting, Interception } from '../http/interception.ts';
import type { Via } from '../http/message.ts';
import { TrustedProxies } from '../http/forwarded.ts';
import type { Observer } from '../observe/events.ts';
import { decide } from './decide.ts';
import type { Decision, InterceptRules } from './decide.ts';
import { hostOf, parseTarget } from './target.ts';
import type { Target } from './target.ts';

export interface InterceptionOptions {
  /** Asked anew for every connection, so that a reload takes effect at once. */
  readonly rules: () => InterceptRules & { readonly clients: readonly string[] };
  /** A certificate for another host's name. */
  readonly leafFor: (host: string) => Identity;
  /** @throws RegistryError when it may not be connected to, or cannot */
  readonly connectOutside: (host: string, port: number) => Promise<Socket>;
  readonly observer: Observer;
}

/** Who may use the proxy, and where each of their connections goes. */
export function createInterception(options: InterceptionOptions): Interception {
  return {
    connect: async (request) => {
      const target = parseTarget(request.target);
      const refusal = refusalOf(options, request.clientAddress);
      if (refusal !== undefined) return refusal;
      if (target === undefined) return refused(400, 'the target is not host:port');
      return await answer(options, target, 'tunnel');
    },
    greet: async ({ servername, clientAddress }: Greeting) => {
      const refusal = refusalOf(options, clientAddress);
      if (refusal !== undefined) return refusal;
      if (servername === undefined) return { kind: 'own' };
      const target = parseTarget(`${servername}:443`);
      return target === undefined ? refused(400, 'the name is none') : await answer(options, target, 'sni');
    },
    admit: async ({ clientAddress }): Promise<Admission> =>
      refusalOf(options, clientAddress) ?? { kind: 'admitted', guest: undefined },
    isOwnName: (name) => options.rules().isOwnName(name),
  };
}

async function answer(options: InterceptionOptions, target: Target, kind: Via['kind']): Promise<ConnectAnswer> {
  const decision = decide(target, options.rules());
  switch (decision.kind) {
    case 'own':
      return { kind: 'own' };
    case 'intercept': {
      const via: Via = { kind, host: target.name };
      return { kind: 'end', via, identity: options.leafFor(hostOf(target.name)) };
    }
    case 'tunnel': {
      const outside = await options.connectOutside(target.host, target.port);
      tell(options, target, decision);
      return { kind: 'pass', outside };
    }
    case 'refuse':
      tell(options, target, decision);
      return refused(403, decision.why);
  }
}

function tell({ observer }: InterceptionOptions, { name }: Target, { kind }: Decision): void {
  observer.emit({ type: 'proxy.passed', host: name, how: kind === 'tunnel' ? 'tunnelled' : 'refused' });
}

function refusalOf({ rules }: InterceptionOptions, clientAddress: string): ConnectRefusal | undefined {
  const { clients } = rules();
  if (clients.length === 0 || new TrustedProxies(clients).trust(clientAddress)) return undefined;
  return refused(403, 'this proxy does not serve your network (intercept.clients); ask its operator');
}

function refused(status: number, message: string): ConnectRefusal {
  return { kind: 'refuse', status, message };
}
