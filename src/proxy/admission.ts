import { TrustedProxies } from '../http/forwarded.ts';
import type { Admission, ConnectRefusal, ProxyRequest } from '../http/interception.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Asker } from '../oci/repository.ts';

export interface AdmissionRules {
  /** Addresses and CIDR ranges that may use the proxy; empty is everybody. */
  readonly clients: readonly string[];
  /** Nobody gets anywhere without a login. */
  readonly mustLogIn: boolean;
}

export interface Doorkeeper {
  /** Asked anew for every connection, so that a reload takes effect at once. */
  readonly rules: () => AdmissionRules;
  /** Who somebody is to this server, by what he says to its proxy. */
  readonly identify: (proxyAuthorization: string, clientAddress: string) => Promise<Asker>;
}

/**
 * Whether somebody may use this server as a proxy, and who he is. Who was led here by a name knows of no proxy to log in
 * to: the network that he comes from has to do.
 */
export async function admit({ rules, identify }: Doorkeeper, request: ProxyRequest): Promise<Admission> {
  const { clientAddress, proxyAuthorization, kind } = request;
  const { clients, mustLogIn } = rules();
  if (clients.length > 0 && !new TrustedProxies(clients).trust(clientAddress)) return stranger;
  if (kind === 'sni' || kind === 'host') return { kind: 'admitted', guest: undefined };
  if (proxyAuthorization === undefined) return mustLogIn ? nobody : { kind: 'admitted', guest: undefined };
  try {
    const asker = await identify(proxyAuthorization, clientAddress);
    if (asker.kind === 'user') return { kind: 'admitted', guest: { name: asker.name, groups: asker.groups } };
    const isRefused = mustLogIn || (asker.kind === 'anonymous' && asker.refused !== undefined);
    return isRefused ? wrong : { kind: 'admitted', guest: undefined };
  } catch (error) {
    if (!(error instanceof RegistryError) || error.code !== 'TOOMANYREQUESTS') throw error;
    const headers = [`Retry-After: ${error.retryAfterSeconds ?? 1}`];
    return { kind: 'refuse', status: 429, message: error.message, headers };
  }
}

const stranger: ConnectRefusal = {
  kind: 'refuse',
  status: 403,
  message: 'this proxy does not serve your network (intercept.clients); ask its operator',
};

/** RFC 9110, 11.7.1. */
const headers = ['Proxy-Authenticate: Basic realm="entrepot"'];

const nobody: ConnectRefusal = {
  kind: 'refuse',
  status: 407,
  message:
    'this proxy wants to know who you are; write user and password into its URL (http://user:password@host:port)',
  headers,
};

const wrong: ConnectRefusal = {
  kind: 'refuse',
  status: 407,
  message: 'this proxy does not know that user, or the password is wrong; correct them in its URL',
  headers,
};
