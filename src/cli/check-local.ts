import { X509Certificate, createPrivateKey } from 'node:crypto';
import { constants } from 'node:fs';
import { access, open, readFile, stat, statfs, unlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import type { StatisticsView } from '../admin/views.ts';
import type { Config, ListenAddress, PemFiles } from '../config/config.ts';
import { adminClient, ServerAway } from './admin-client.ts';
import type { Finding } from './check.ts';
import type { Context } from './context.ts';
import { listenTrouble, troubleText } from './trouble.ts';
import { bytesText, durationText } from './units.ts';

/** What can be looked at without asking anybody outside: a running server, the store, the index, certificates, ports. */
export async function checkLocal(config: Config, { clock, inspectIndex }: Context): Promise<readonly Finding[]> {
  const running = config.admin.socket === undefined ? undefined : await runningServer(config.admin.socket);
  return [
    ...(running === undefined ? [] : [running]),
    await checkStorage(config),
    await checkIndex(config, inspectIndex),
    ...(await checkUsers(config)),
    ...(config.http.tls?.files === undefined ? [] : [await checkTls(config.http.tls.files, clock.now())]),
    ...(await checkAuthorities(config, clock.now())),
    // A running server, even one that this user may not ask, is what holds the ports.
    ...(running === undefined ? await checkPorts(config) : []),
  ];
}

async function runningServer(socket: string): Promise<Finding | undefined> {
  const statistics = adminClient(socket).get<StatisticsView>('/v1/statistics');
  const isAway = await statistics.then(
    () => false,
    (error: unknown) => error instanceof ServerAway,
  );
  if (isAway) return undefined;
  return attempt('server', async () => {
    const { version, heldBytes } = await statistics;
    return `version ${version} runs and holds ${bytesText(heldBytes)}`;
  });
}

async function checkStorage({ storage }: Config): Promise<Finding> {
  if (storage.driver !== 'filesystem') return { what: 'store', ok: true, text: 'in memory' };
  return attempt('store', async () => {
    const there = await nearestThere(storage.rootDirectory);
    await writeAndDelete(there);
    const { bavail, bsize } = await statfs(there);
    const how = there === storage.rootDirectory ? 'can be written' : 'will be made at first start';
    return `${storage.rootDirectory} ${how}, ${bytesText(bavail * bsize)} free`;
  });
}

async function checkIndex({ index }: Config, inspect: Context['inspectIndex']): Promise<Finding> {
  return attempt('index', async () => {
    if (index.kind !== 'sqlite') return 'in memory';
    const there = await nearestThere(index.path);
    await access(there, constants.R_OK | constants.W_OK);
    if (there !== index.path) return `${index.path} will be made at first start`;
    await inspect(index);
    return `${index.path}, ${bytesText((await stat(index.path)).size)}`;
  });
}

/** What the file of users says is looked at when the configuration is read; one that is not there a start would make. */
async function checkUsers({ auth }: Config): Promise<readonly Finding[]> {
  if (auth.kind !== 'htpasswd') return [];
  const { path } = auth;
  const users = await attempt('users', async () => {
    const there = await nearestThere(path);
    if (there === path) return `${path} is there`;
    await writeAndDelete(there);
    return `${path} will be made at first start`;
  });
  return [users];
}

/** The file or directory itself, or the directory in which a start would make it. */
async function nearestThere(path: string): Promise<string> {
  const found = await stat(path).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  });
  return found === undefined ? nearestThere(dirname(path)) : path;
}

async function writeAndDelete(directory: string): Promise<void> {
  const path = join(directory, `.entrepot-check-${process.pid}`);
  await using file = await open(path, 'wx').catch((error: unknown) => {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw isMissing ? new Error(`nothing can be made in ${directory}; name another directory`) : error;
  });
  try {
    await file.write('entrepot');
    await file.sync();
  } finally {
    await unlink(path);
  }
}

async function checkTls({ certificatePath, keyPath }: PemFiles, nowMs: number): Promise<Finding> {
  return attempt('certificate', async () => {
    const certificate = new X509Certificate(await readFile(certificatePath));
    const key = createPrivateKey(await readFile(keyPath));
    if (!certificate.checkPrivateKey(key)) {
      throw new Error(`${keyPath} is not the key of ${certificatePath}; name the two files that belong together`);
    }
    return `${certificate.subjectAltName ?? certificate.subject}, ${lifetimeText(certificate, certificatePath, nowMs)}`;
  });
}

async function checkAuthorities({ upstreams, http }: Config, nowMs: number): Promise<readonly Finding[]> {
  const ofUpstreams = upstreams.flatMap(({ caPath }) => (caPath === undefined ? [] : [caPath]));
  const paths = new Set([...ofUpstreams, ...(http.tls?.clients?.authorityPaths ?? [])]);
  return Promise.all(
    [...paths].map((path) =>
      attempt(`authority ${path}`, async () => {
        const certificate = new X509Certificate(await readFile(path));
        return `${certificate.subject.replaceAll('\n', ', ')}, ${lifetimeText(certificate, path, nowMs)}`;
      }),
    ),
  );
}

/** @throws Error when it has expired */
function lifetimeText({ validToDate }: X509Certificate, path: string, nowMs: number): string {
  const leftMs = validToDate.getTime() - nowMs;
  if (leftMs <= 0) throw new Error(`${path} expired on ${validToDate.toISOString().slice(0, 10)}; put a new one there`);
  return `valid for ${durationText(leftMs)}`;
}

/** A port for metrics that nobody asked for may be in use: the server starts without. */
async function checkPorts({ http }: Config): Promise<readonly Finding[]> {
  const { debug } = http;
  const ports = http.listen.map((address) => checkPort(address, 'http.addr'));
  if (debug?.required === true) ports.push(checkPort(debug.listen, 'http.debug.addr'));
  return Promise.all(ports);
}

async function checkPort({ host, port }: ListenAddress, setting: string): Promise<Finding> {
  return attempt(`port ${host ?? ''}:${port}`, async () => {
    const server = createServer();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    server.listen({ host, port }, resolve);
    await promise.catch((error: unknown) => {
      throw new Error(listenTrouble(error, setting));
    });
    server.close();
    return 'is free';
  });
}

async function attempt(what: string, look: () => Promise<string>): Promise<Finding> {
  try {
    return { what, ok: true, text: await look() };
  } catch (error) {
    const known = error instanceof Error && !('code' in error);
    return { what, ok: false, text: known ? error.message : troubleText(error) };
  }
}
