import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { registries } from '../internet/sites.ts';
import type { LabEnvironment } from './environment.ts';
import { Daemon } from './process.ts';
import { listens } from './ready.ts';

/** Where clients find the server under test: a name of the lab that is not loopback, so nothing is trusted by accident. */
export const cacheHost = 'cache.lab';
export const cachePort = 5000;
export const cacheAuthority = `${cacheHost}:${cachePort}`;

const labNetwork = '10.77.0.0/24';

/** What a test wants to be otherwise. */
export interface ServerOptions {
  /** The store: the same name finds the same content again. */
  readonly storage: string;
  /** How long a tag is believed without asking, for every upstream. */
  readonly freshness: string;
  /** TLS by certificates of its own authority, besides plain HTTP. */
  readonly ownTls?: boolean;
}

/** Starts the server under test; resolves when it accepts connections. */
export async function startServer({ work }: LabEnvironment, options: ServerOptions): Promise<Daemon> {
  const storage = join(work, 'server', options.storage);
  await mkdir(storage, { recursive: true });
  const config = `${storage}.yml`;
  await writeFile(config, JSON.stringify(configuration(work, storage, options), undefined, 2));
  return Daemon.start({
    name: 'the server under test',
    argv: [...serveCommand(), config],
    logPath: `${storage}.log`,
    ready: () => listens({ host: cacheHost, port: cachePort }),
  });
}

/** Asks the server under test for its authority, as a client's administrator does, and writes it down. */
export async function fetchAuthority(path: string): Promise<void> {
  const answer = await fetch(`http://${cacheAuthority}/ca.crt?ca=server`);
  if (!answer.ok) throw new Error(`the server under test has no authority: ${answer.status}`);
  await writeFile(path, await answer.text());
}

/** ENTREPOT_LAB_SERVE: another command that takes a configuration, to try the lab itself with. */
function serveCommand(): readonly string[] {
  return process.env['ENTREPOT_LAB_SERVE']?.split(' ') ?? [process.execPath, 'src/main.ts', 'serve'];
}

/** JSON is YAML. */
function configuration(work: string, storage: string, { freshness, ownTls = false }: ServerOptions): unknown {
  const upstream = { ca: join(work, 'pki/ca.pem'), dial: [labNetwork], freshness };
  return {
    version: 0.1,
    http: { addr: cacheAuthority, ...(ownTls ? { tls: { auto: true } } : {}) },
    storage: { filesystem: { rootdirectory: storage } },
    upstreams: Object.fromEntries(Object.keys(registries).map((name) => [name, upstream])),
  };
}
