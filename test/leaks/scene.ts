/** The server before an upstream with shelves, and those who ask. */
import { Agent } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { get } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { jwtUntil } from '../support/upstream-auth.ts';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { basic, htpasswdOf } from '../support/logins.ts';
import { freePort } from '../support/ports.ts';
import { TempDir } from '../support/temp-dir.ts';
import { led, through } from '../support/tunnel.ts';
import { furnishUpstream, grants, privateRepositories, shelves } from './content.ts';
import { hub as hubName } from './doors.ts';
import type { Door } from './doors.ts';
import type { World } from './rules.ts';

const opsPassword = 'the-secret-of-ops';
const passwords = {
  alice: 'alices-own-secret',
  bob: 'bobs-own-secret',
  carol: 'carols-own-secret',
  robot: 'the-secret-of-this-cache',
} as const;
type User = keyof typeof passwords;

/** A token ends before what it proved would be asked about again, and the other way round. In seconds. */
export const tokenSeconds = 120;
export const proofSeconds = 60;

export type Ours = Pick<World, 'exposure'> & {
  readonly account: boolean;
  /** Registries that nobody has named are served, too; nothing else may differ by that. */
  readonly explores?: boolean;
};

/** What the operator says of what may be had at all. */
export interface Rules {
  readonly ofHub?: Readonly<Record<string, unknown>>;
  readonly access?: readonly unknown[];
}

export async function leakScene({ exposure, account, explores = false }: Ours) {
  await using opening = new AsyncDisposableStack();
  const { path: directory } = opening.use(await TempDir.make());
  // Certificates are looked at by the real clock.
  const clock = new FakeClock(Date.now());
  const now = (): number => clock.now();
  const auth = { kind: 'bearer', users: passwords, grants, private: privateRepositories, tokens: 'jwt' } as const;
  const hub = opening.use(await CountingUpstream.start({ auth: { ...auth, tokenSeconds }, now }));
  const quay = opening.use(await CountingUpstream.start());
  furnishUpstream(hub);
  const htpasswd = { realm: 'cache', path: join(directory, 'users') };
  await writeFile(htpasswd.path, htpasswdOf({ ops: opsPassword }));
  const credentials = account ? { credentials: { username: 'robot', password: passwords.robot } } : {};
  const debugPort = await freePort();
  const config = {
    http: { debug: { addr: `127.0.0.1:${debugPort}` } },
    auth: { htpasswd },
    access: [
      { who: 'anonymous', may: 'pull', on: '**' },
      { who: 'authenticated', may: ['pull', 'push', 'delete'], on: '**' },
    ],
    intercept: { proof: `${proofSeconds}s`, addr: ['127.0.0.1:0'], ...(explores && { hosts: '*' }) },
    upstreams: { 'docker.io': { freshness: '24h', exposure, ...credentials } },
  };
  const upstreams = { 'docker.io': hub, 'quay.io': quay };
  const entrepot = opening.use(await Entrepot.start({ upstreams, clock, config, directory: join(directory, 'cache') }));
  const ca = (await get(`${entrepot.origin}/ca.crt?ca=interception`)).body.toString();
  const agents = new Map<string, Agent>();
  const scope = opening.move();
  scope.defer(() => closeAll(agents));
  return {
    hub,
    quay,
    entrepot,
    clock,
    metrics: async (): Promise<string> => (await get(`http://127.0.0.1:${debugPort}/metrics`)).body.toString(),
    /** Connections are used again: a handshake a cell would take all the time there is. */
    agentFor: (door: Door): Agent => {
      const kept = agents.get(connectionTo(door)) ?? agentFor(door, entrepot, ca);
      agents.set(connectionTo(door), kept);
      return kept;
    },
    rule: ({ ofHub, access = config.access }: Rules): Promise<void> => {
      const docker = { ...config.upstreams['docker.io'], ...ofHub };
      return entrepot.configure({ ...config, access, upstreams: { 'docker.io': docker } });
    },
    restart: async (): Promise<void> => {
      closeAll(agents);
      await entrepot.restart();
    },
    [Symbol.asyncDispose]: () => scope.disposeAsync(),
  };
}

export type Scene = Awaited<ReturnType<typeof leakScene>>;

function closeAll(agents: Map<string, Agent>): void {
  for (const agent of agents.values()) agent.destroy();
  agents.clear();
}

/** Doors of the same kind of connection share one. */
function connectionTo(door: Door): string {
  return ['tunnel', 'sideways', 'name', 'host'].includes(door) ? door : 'plain';
}

function agentFor(door: Door, { port, addresses }: Entrepot, ca: string): Agent {
  const named = Number(new URL(addresses.find((each) => each.startsWith('names:')) ?? '').port);
  if (door === 'name') return led(named, { ca, servername: hubName, keepAlive: true });
  if (door === 'host') return plainlyLed(named);
  const host = door === 'tunnel' ? hubName : door === 'sideways' ? 'quay.io' : undefined;
  if (host === undefined) return new Agent({ keepAlive: true });
  return through(port, { target: `${host}:443`, ca, keepAlive: true });
}

/** The same for those who speak no TLS: their requests say whom they mean. */
function plainlyLed(port: number): Agent {
  const create = (): Socket => connect({ host: '127.0.0.1', port });
  return Object.assign(new Agent({ keepAlive: true }), { createConnection: create });
}

/** As clients have them: from the registry's token service, by the same way as all else, for every repository at once. */
export async function tokenFor(at: Scene, user?: User): Promise<string> {
  return await askForToken(at.agentFor('tunnel'), hubName, user);
}

/** What this cache gives who asks another registry's token service while that is away. */
export async function standInFor(at: Scene, user: User): Promise<string> {
  await at.quay.down();
  const token = await askForToken(at.agentFor('sideways'), 'quay.io', user);
  await at.quay.up();
  return token;
}

async function askForToken(agent: Agent, host: string, user: User | undefined): Promise<string> {
  const query = new URLSearchParams({ service: 'registry.test' });
  for (const { name } of Object.values(shelves)) query.append('scope', `repository:${name}:pull`);
  query.append('scope', 'repository:bob/namer:pull');
  const headers = user === undefined ? {} : { ...basic(user, passwords[user]) };
  const { body, status } = await get(`http://${host}/token?${query.toString()}`, { headers, agent });
  if (status !== 200) throw new Error(`no token for ${user ?? 'anybody'}: ${status} ${body.toString()}`);
  return `Bearer ${(JSON.parse(body.toString()) as { readonly token: string }).token}`;
}

/** What nobody was ever given. */
export function forgeries(nowMs: number): Readonly<Record<string, string>> {
  return {
    'a token of her own making': `Bearer ${jwtUntil(nowMs + 3_600_000)}`,
    'no token at all': 'Bearer x',
    'a guessed password': basic('ops', 'guess').Authorization,
  };
}

export const leaked = basic('alice', passwords.alice).Authorization;
export const ops = basic('ops', opsPassword).Authorization;

/** Whatever proves to anybody who somebody is, besides tokens. */
export const secrets: readonly string[] = [...Object.values(passwords), opsPassword];
