import { messageOf } from '../oci/errors.ts';
/** What fails on the way to an upstream is told as what it is: the upstream has nothing to do with it. */

/** Who is asked for addresses, and what to do where he does not answer. */
export interface NameService {
  readonly who: string;
  readonly advice: string;
}

interface Proxy {
  readonly host: string;
  readonly port: number;
  /** What names it. */
  readonly setting?: string;
}

/** @param advice what to do; takes the place of what is said of upstreams in general */
function blaming(what: string, error: unknown, advice: string): Error {
  const why = messageOf(error);
  const code = error instanceof Error && 'code' in error ? { code: error.code } : {};
  return Object.assign(new Error(`${what}: ${why}`, { cause: error }), { ...code, advice });
}

/** A connection by way of a proxy. What the proxy itself says, and its certificates, speak for themselves. */
export async function byWayOf<T>(proxy: Proxy, connecting: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await connecting;
  } catch (error) {
    const isBroken = error instanceof Error && 'syscall' in error;
    if (!isBroken && error !== signal.reason) throw error;
    const { host, port, setting = 'upstreams.*.proxy or HTTP_PROXY' } = proxy;
    const where = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    throw blaming(`the outbound proxy ${where} does not connect us`, error, `check that proxy, and ${setting}`);
  }
}

/** What was found, unless the signal came first. */
export async function foundBy<T>(
  service: NameService | undefined,
  finding: Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  try {
    return await finding;
  } catch (error) {
    if (service === undefined || error !== signal.reason) throw error;
    throw noAddress(service, error);
  }
}

export function noAddress({ who, advice }: NameService, error: unknown): Error {
  return blaming(`${who} gives no address`, error, advice);
}
