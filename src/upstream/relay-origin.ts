import { builtinUpstreams } from '../config/builtin-upstreams.ts';
import type { UpstreamConfig } from '../config/config.ts';
import { upstreamName } from '../config/value/upstream-name.ts';
import type { RelayAnswer } from './contract.ts';

/**
 * Where the registry or token service really is that a client knows by this host, with what stands before `/v2/` there.
 * `undefined` for a host that is none of the upstream's.
 */
export function relayOrigin(config: UpstreamConfig, host: string): URL | undefined {
  const own = new URL(config.url);
  if (host === config.name || host === upstreamName(own.host)) return own;
  if (config.aliases.includes(host)) return isWhereItAlwaysWas(config) ? new URL(`https://${host}`) : own;
  const isPlain = own.protocol === 'http:';
  return config.realms.includes(host) ? new URL(`${isPlain ? 'http' : 'https'}://${host}`) : undefined;
}

/** Docker Hub's names are machines of their own; but where the operator says where it is, it is there by any name. */
function isWhereItAlwaysWas({ name, url }: UpstreamConfig): boolean {
  return builtinUpstreams.find((upstream) => upstream.name === name)?.keys.url === url;
}

/** An answer that names the registry by where it really is sends the client where it has no business: not through here. */
export function asNamed(answer: RelayAnswer, origin: URL, host: string): RelayAnswer {
  if (origin.host === host) return answer;
  const isMeant = (name: string): boolean => ['location', 'www-authenticate'].includes(name.toLowerCase());
  const headers = answer.headers.map(([name, value]) => {
    return [name, isMeant(name) ? inNameOf(host, value, origin) : value] as const;
  });
  return { ...answer, headers };
}

/** The same for one text: URLs there are URLs at the host that the client knows. */
export function inNameOf(host: string, text: string, origin: URL): string {
  const real = new RegExp(`${origin.origin.replaceAll(/[.[\]]/g, String.raw`\$&`)}(?=[/"?]|$)`, 'g');
  return text.replaceAll(real, `https://${host}`);
}
