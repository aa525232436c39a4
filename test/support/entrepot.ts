/**
 * The server in this process, before a world made of CountingUpstreams.
 *
 *     await using hub = await CountingUpstream.start();
 *     await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
 *     await pull(entrepot.origin, 'library/redis', '7', { ns: 'docker.io' });
 *
 * The whole house with nothing replaced but the network's far end and, where a test gives one, the clock. For a process
 * that can be killed see processes.ts.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/load.ts';
import type { Clock } from '../../src/observe/clock.ts';
import { systemClock } from '../../src/observe/clock.ts';
import type { Event } from '../../src/observe/events.ts';
import { startServer } from '../../src/server.ts';
import type { RunningServer } from '../../src/server.ts';
import { testAuthority } from './certificates.ts';
import { get } from './client.ts';
import type { Answer, RequestOptions } from './client.ts';
import type { CountingUpstream } from './counting-upstream.ts';
import { FakeClock } from './fake-clock.ts';
import { TempDir } from './temp-dir.ts';
import { Waiters } from './waiters.ts';

type Keys = Readonly<Record<string, unknown>>;

export interface EntrepotOptions {
  /** The world, by the names that images have in it: `docker.io`. Every other upstream is the built-in one. */
  readonly upstreams?: Readonly<Record<string, CountingUpstream>>;
  /** Keys of the configuration file. Keys of an upstream are added to what its CountingUpstream needs. */
  readonly config?: Keys;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** Holds the configuration file and the store. Give one to start again with what was held. Default: one for this test. */
  readonly directory?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Adds no key of ours to the configuration: one for `registry:2` then means what it means there. */
  readonly registryMode?: boolean;
}

type EventOf<T extends Event['type']> = Extract<Event, { readonly type: T }>;

export class Entrepot implements AsyncDisposable {
  readonly directory: string;
  readonly configFile: string;
  /** Everything that was told so far. */
  readonly events: Event[] = [];
  readonly #options: EntrepotOptions;
  readonly #ownDirectory: TempDir | undefined;
  readonly #waiters = new Waiters();
  #server: RunningServer | undefined;
  #configuring = 0;

  private constructor(options: EntrepotOptions, ownDirectory: TempDir | undefined, directory: string) {
    this.#options = options;
    this.#ownDirectory = ownDirectory;
    this.directory = directory;
    this.configFile = join(directory, 'entrepot.yml');
  }

  static async start(options: EntrepotOptions = {}): Promise<Entrepot> {
    const own = options.directory === undefined ? await TempDir.make() : undefined;
    const entrepot = new Entrepot(options, own, options.directory ?? own?.path ?? '');
    try {
      await entrepot.#open();
    } catch (error) {
      await entrepot[Symbol.asyncDispose]();
      throw error;
    }
    return entrepot;
  }

  /** `http://127.0.0.1:12345` */
  get origin(): string {
    return this.#running.addresses[0] ?? '';
  }

  /** All of them. */
  get addresses(): readonly string[] {
    return this.#running.addresses;
  }

  get port(): number {
    return Number(new URL(this.origin).port);
  }

  get adminSocket(): string {
    return this.#running.adminSocket;
  }

  /** The store's and the index's directory. */
  get storeDirectory(): string {
    return join(this.directory, 'registry');
  }

  /** What was told of one kind. */
  told<T extends Event['type']>(type: T): EventOf<T>[] {
    return this.events.filter((event): event is EventOf<T> => event.type === type);
  }

  /** Resolves when so many events of a kind (that meet the condition) have been told since the start. */
  async until<T extends Event['type']>(
    type: T,
    met: (event: EventOf<T>) => boolean = () => true,
    count = 1,
  ): Promise<void> {
    await this.#waiters.until(() => this.told(type).filter(met).length >= count);
  }

  /** Resolves when so many blobs have come to rest since the start: a client has its last byte a moment earlier. */
  async stored(count: number): Promise<void> {
    await this.until('download', ({ step }) => step === 'stored', count);
  }

  /** Asks the admin API: `admin('POST /v1/purge', { image: 'docker.io/library/redis:7' })`. */
  async admin(what: string, query: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const [method = 'GET', path = '/'] = what.split(' ');
    const options: RequestOptions = { method, agent: new Agent({ socketPath: this.adminSocket } as object) };
    const search = new URLSearchParams(query).toString();
    return await get(`http://admin${path}${search === '' ? '' : `?${search}`}`, options);
  }

  /** Writes a new configuration with these keys instead of the earlier ones, and has it read. */
  async configure(config: Keys): Promise<void> {
    await this.#write(config);
    await this.#running.reload();
  }

  /** As SIGHUP does. */
  async reload(): Promise<void> {
    await this.#running.reload();
  }

  /** As SIGTERM does. Requests under way are cut unless `http.draintimeout` says otherwise. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    const state = { stopped: server === undefined };
    const stopped = server?.stop('the test has ended').finally(() => (state.stopped = true));
    const { clock } = this.#options;
    // Deadlines of nothing at all fall due when this clock is looked at.
    if (clock instanceof FakeClock) while (!state.stopped) await clock.advance(0);
    await stopped;
  }

  /** Stops, and starts again with the same directory and configuration, on another port. */
  async restart(): Promise<void> {
    await this.stop();
    await this.#start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#ownDirectory?.[Symbol.asyncDispose]();
  }

  get #running(): RunningServer {
    if (this.#server === undefined) throw new Error('the server was stopped');
    return this.#server;
  }

  async #open(): Promise<void> {
    await this.#write(this.#options.config ?? {});
    await this.#start();
  }

  async #start(): Promise<void> {
    const { clock = systemClock, env = {} } = this.#options;
    const loaded = await loadConfig({ path: this.configFile, env });
    const emit = (event: Event): void => {
      this.events.push(event);
      this.#waiters.look();
    };
    const log = { emit, flush: async () => {}, flushSync: () => {}, droppedLines: () => 0 };
    this.#server = await startServer({ loaded, log, clock, env });
  }

  async #write(config: Keys): Promise<void> {
    await mkdir(this.directory, { recursive: true });
    // JSON is YAML. The count makes it another file to whoever compares sizes and times.
    const text = JSON.stringify(await this.#complete(config), undefined, 2);
    await writeFile(this.configFile, `${text}\n${'#'.repeat(++this.#configuring)}\n`);
  }

  async #complete(config: Keys): Promise<Keys> {
    const { http = {}, upstreams = {}, storage } = config;
    const given = upstreams as Readonly<Record<string, Keys>>;
    const world = Object.entries(this.#options.upstreams ?? {});
    const met = await Promise.all(
      world.map(async ([name, upstream]) => [name, { ...(await this.#keysOf(upstream)), ...given[name] }] as const),
    );
    return {
      version: 0.1,
      ...config,
      http: { addr: '127.0.0.1:0', debug: { addr: '127.0.0.1:0' }, draintimeout: '0s', ...(http as Keys) },
      storage: storage ?? { filesystem: { rootdirectory: this.storeDirectory } },
      ...(this.#options.registryMode === true ? {} : { upstreams: { ...given, ...Object.fromEntries(met) } }),
    };
  }

  /** What the configuration must say of an upstream that is on this machine, as a real one needs no saying. */
  async #keysOf(upstream: CountingUpstream): Promise<Keys> {
    const origins = (['registry', 'token', 'cdn'] as const).map((host) => new URL(upstream.originOf(host)));
    const [registry, token] = origins;
    const secure = registry?.protocol === 'https:';
    const authority = join(this.directory, 'authority.pem');
    if (secure) await writeFile(authority, testAuthority().ca);
    return {
      url: upstream.origin,
      ...(secure ? { ca: authority } : { insecure: true }),
      ...(token?.host === registry?.host ? {} : { realms: [token?.host] }),
      dial: [...new Set(origins.map(({ hostname }) => hostname))],
    };
  }
}
