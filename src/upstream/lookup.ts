import { lookup as systemLookup, Resolver } from 'node:dns/promises';

/** All addresses of a host, as the one that is asked prefers them. */
export type Lookup = (host: string) => Promise<readonly string[]>;

export interface LookupOptions {
  /** DNS servers, `address` or `address:port`; empty is whatever the machine uses. */
  readonly servers: readonly string[];
  readonly family: 'any' | '4' | '6';
  readonly timeoutMs: number;
}

/** Asks once for all who ask for the same name at the same time; remembers nothing. */
export function createLookup(options: LookupOptions): Lookup {
  const ask = options.servers.length === 0 ? systemLookupOf(options) : serverLookupOf(options);
  const asking = new Map<string, Promise<readonly string[]>>();
  return (host) => {
    const running = asking.get(host);
    if (running) return running;
    const answer = ask(host).finally(() => asking.delete(host));
    asking.set(host, answer);
    return answer;
  };
}

function systemLookupOf({ family }: LookupOptions): Lookup {
  const number = family === '4' ? 4 : family === '6' ? 6 : 0;
  return async (host) => {
    const found = await systemLookup(host, { all: true, family: number, order: 'verbatim' });
    return found.map(({ address }) => address);
  };
}

function serverLookupOf({ servers, family, timeoutMs }: LookupOptions): Lookup {
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
    if (found.length === 0 && failed) throw failed.reason;
    return found;
  };
}
