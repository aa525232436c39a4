import { lookup as systemLookup, Resolver } from 'node:dns/promises';
import { noAddress } from './on-the-way.ts';
import type { NameService } from './on-the-way.ts';

/** All addresses of a host, as the one that is asked prefers them. */
export interface Lookup {
  (host: string): Promise<readonly string[]>;
  readonly service?: NameService;
}

export interface LookupOptions {
  /** DNS servers, `address` or `address:port`; empty is whatever the machine uses. */
  readonly servers: readonly string[];
  readonly family: 'any' | '4' | '6';
  readonly timeoutMs: number;
  /** What names the servers: `upstreams.quay.io.resolver`. */
  readonly setting?: string;
}

/** Asks once for all who ask for the same name at the same time; remembers nothing. */
export function createLookup(options: LookupOptions): Lookup {
  const ask = options.servers.length === 0 ? systemLookupOf(options) : serverLookupOf(options);
  const asking = new Map<string, Promise<readonly string[]>>();
  const askOnce = (host: string): Promise<readonly string[]> => {
    const running = asking.get(host);
    if (running) return running;
    const answer = ask(host).finally(() => asking.delete(host));
    asking.set(host, answer);
    return answer;
  };
  return Object.assign(askOnce, { service: serviceOf(options) });
}

function serviceOf({ servers, setting = 'upstreams.*.resolver' }: LookupOptions): NameService {
  if (servers.length === 0)
    return { who: 'the DNS of this machine', advice: `check it, or name another server in ${setting}` };
  return { who: `the DNS server ${servers.join(' or ')}`, advice: `check that server, and ${setting}` };
}

function systemLookupOf({ family }: LookupOptions): Lookup {
  const number = family === '4' ? 4 : family === '6' ? 6 : 0;
  return async (host) => {
    const found = await systemLookup(host, { all: true, family: number, order: 'verbatim' });
    return found.map(({ address }) => address);
  };
}

function serverLookupOf(options: LookupOptions): Lookup {
  const { servers, family, timeoutMs } = options;
  const resolver = new Resolver({ timeout: Math.max(1, Math.ceil(timeoutMs / 2)), tries: 2 });
  resolver.setServers([...servers]);
  return async (host) => {
    const wanted = [
      ...(family === '4' ? [] : [resolver.resolve6(host)]),
      ...(family === '6' ? [] : [resolver.resolve4(host)]),
    ];
    const answers = await Promise.allSettled(wanted);
    const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    const failed = answers.find((answer) => answer.status === 'rejected');
    if (found.length === 0 && failed)
      throw isAnswer(failed.reason) ? failed.reason : noAddress(serviceOf(options), failed.reason);
    return found;
  };
}

/** That there is no such name is what was asked. */
function isAnswer(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOTFOUND' || error.code === 'ENODATA');
}
