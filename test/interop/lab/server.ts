import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { registries, sites } from '../internet/sites.ts';
import type { LabEnvironment } from './environment.ts';
import { Daemon } from './process.ts';
import { listens } from './ready.ts';

/** Where clients find the server under test: a name of the lab that is not loopback, so nothing is trusted by accident. */
export const cacheHost = 'cache.lab';
export const cachePort = 5000;
/** As namespace.sh has it. */
export const cacheAddress = '10.77.0.9';
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
  /** Every registry's name leads to it, by /etc/hosts on its own machine, too; this DNS server alone says where they are. */
  readonly nameServer?: string;
}

/** Starts the server under test; resolves when it accepts connections. */
export async function startServer(environment: LabEnvironment, options: ServerOptions): Promise<Daemon> {
  const { work } = environment;
  const storage = storageOf(environment, options.storage);
  await mkdir(storage, { recursive: true });
  const config = `${storage}.yml`;
  await writeFile(config, JSON.stringify(configuration(work, storage, options), undefined, 2));
  const led = options.nameServer === undefined ? [] : onMachineWith(await ledHosts(environment));
  return Daemon.start({
    name: 'the server under test',
    argv: [...led, ...serveCommand(), config],
    logPath: `${storage}.log`,
    ready: () => listens({ host: cacheHost, port: cachePort }),
  });
}

/** Writes the /etc/hosts of a machine on which every registry's name leads to the server under test. */
export async function ledHosts({ work }: LabEnvironment): Promise<string> {
  const path = join(work, 'hosts.led');
  const lines = [cacheHost, ...Object.keys(sites)].map((name) => `${cacheAddress} ${name}\n`);
  await writeFile(path, `127.0.0.1 localhost\n${lines.join('')}`);
  return path;
}

function onMachineWith(hosts: string): readonly string[] {
  const enter = 'mount --bind "$0" /etc/hosts && exec "$@"';
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', enter, hosts];
}

/** Where it keeps what it holds. */
export function storageOf({ work }: LabEnvironment, name: string): string {
  return join(work, 'server', name);
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
function configuration(work: string, storage: string, options: ServerOptions): unknown {
  const { freshness, ownTls = false, nameServer } = options;
  const named = { addr: [443, 80].map((port) => `${cacheAddress}:${port}`), resolver: [nameServer] };
  const upstream = { ca: join(work, 'pki/ca.pem'), dial: [labNetwork], freshness };
  return {
    version: 0.1,
    http: { addr: cacheAuthority, ...(ownTls ? { tls: { auto: true } } : {}) },
    ...(nameServer === undefined ? {} : { intercept: named }),
    storage: { filesystem: { rootdirectory: storage } },
    upstreams: Object.fromEntries(Object.keys(registries).map((name) => [name, upstream])),
  };
}
