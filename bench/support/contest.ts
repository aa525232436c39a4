/**
 * Several servers that hold the same content, measured in turns: what disturbs one round disturbs all of them.
 */
import { mkdir, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ServerCertificate } from '../../test/support/certificates.ts';
import { RegistryLayout } from './registry-layout.ts';
import { median, medianRatio } from './statistics.ts';
import type { Server } from './subjects.ts';
import { ratio } from './suite.ts';
import type { Bench, Limit, Row, Unit } from './suite.ts';

/** The content of docker-registry and, as links to its files, of nginx. */
export class PeerContent {
  readonly layout: RegistryLayout;
  readonly registryDirectory: string;
  readonly www: string;

  constructor(directory: string) {
    this.registryDirectory = join(directory, 'peers-registry');
    this.www = join(directory, 'peers-www');
    this.layout = new RegistryLayout(this.registryDirectory);
  }

  /** @param path of the URL; its query does not count */
  async link(path: string, digest: string): Promise<void> {
    const file = join(this.www, new URL(path, 'http://nginx').pathname);
    await mkdir(dirname(file), { recursive: true });
    await symlink(this.layout.pathOf(digest), file);
  }
}

export interface ContestOptions {
  readonly upstream: string;
  readonly peers: PeerContent;
  readonly tls?: ServerCertificate | undefined;
}

export class Contest implements AsyncDisposable {
  readonly subject: Server;
  readonly registry: Server | undefined;
  readonly nginx: Server | undefined;
  readonly #open: AsyncDisposableStack;

  private constructor(open: AsyncDisposableStack, subject: Server, registry?: Server, nginx?: Server) {
    this.#open = open;
    this.subject = subject;
    this.registry = registry;
    this.nginx = nginx;
  }

  /** A second contest in the same directory finds what the first one's subject kept. */
  static async start({ machine, directory }: Bench, { upstream, peers, tls }: ContestOptions): Promise<Contest> {
    await using open = new AsyncDisposableStack();
    const setup = (name: string) => ({ directory: join(directory, name), tls });
    const subject = open.use(await machine.startSubject({ ...setup('subject'), upstream }));
    const registry = open.use(await machine.startRegistry(setup('docker-registry'), peers.registryDirectory));
    const nginx = open.use(await machine.startNginx(setup('nginx'), peers.www));
    return new Contest(open.move(), subject, registry, nginx);
  }

  /** Registries that are pushed to: each keeps what it has in `registry` of its directory. */
  static async ofRegistries({ machine, directory }: Bench): Promise<Contest> {
    await using open = new AsyncDisposableStack();
    const setup = (name: string) => ({ directory: join(directory, name) });
    const subject = open.use(await machine.startHost(setup('subject')));
    const peer = setup('docker-registry');
    const registry = open.use(await machine.startRegistry(peer, join(peer.directory, 'registry')));
    return new Contest(open.move(), subject, registry);
  }

  get servers(): Server[] {
    return [this.subject, this.registry, this.nginx].filter((server) => server !== undefined);
  }

  /** Each server's turn in each round. */
  async rounds<T>(count: number, turn: (server: Server) => Promise<T>): Promise<Results<T>> {
    const results = new Map(this.servers.map((server) => [server, [] as T[]]));
    for (let round = 0; round < count; round++) {
      for (const [server, all] of results) all.push(await turn(server));
    }
    return results;
  }

  /** Resolves when no server is at work any more: what one leaves for later is not to be done in another's time. */
  async rest(): Promise<void> {
    for (const { group } of this.servers) await group.rest();
  }

  /** Medians over the rounds and, given a limit, a bar for the median ratio of the subject to docker-registry. */
  row<T>(results: Results<T>, what: string, unit: Unit, pick: (result: T) => number, limit?: Limit): Row {
    const series = new Map([...results].map(([server, all]) => [server, all.map(pick)]));
    const values = Object.fromEntries([...series].map(([{ name }, all]) => [name, median(all)]));
    const peer = this.registry && series.get(this.registry);
    return { what, unit, values, bar: limit && ratio(medianRatio(series.get(this.subject) ?? [], peer), limit) };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#open.disposeAsync();
  }
}

type Results<T> = ReadonlyMap<Server, T[]>;
