import type { UpstreamConfig } from '../config/config.ts';
import { RegistryError } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type {
  MirrorStatus,
  RelayAnswer,
  RelayRequest,
  Upgraded,
  UpgradeRequest,
  Upstream,
  UpstreamCheck,
  UpstreamRepository,
  UpstreamStatus,
} from './contract.ts';
import { ping } from './ping.ts';
import type { RateLimit } from './ratelimit.ts';
import { asNamed, relayOrigin } from './relay-origin.ts';
import { upstreamRepository } from './repository.ts';
import { buildSettings } from './settings.ts';
import type { Settings, Surroundings } from './settings.ts';

/** Earlier settings that are kept in mind until the end. */
const retiredMax = 4;

/** One upstream for as long as its name is known; its settings come and go. */
export class RegistryUpstream implements Upstream {
  readonly name: string;
  readonly #surroundings: Surroundings;
  #config: UpstreamConfig;
  #settings: Settings;
  /** Earlier settings, which may have something under way still. Their idle connections close by themselves. */
  #retired: readonly Settings[] = [];
  #lastError: string | undefined;
  #limit: RateLimit | undefined;

  constructor(config: UpstreamConfig, surroundings: Surroundings) {
    this.name = config.name;
    this.#surroundings = surroundings;
    this.#config = config;
    this.#settings = this.#build(config);
  }

  get url(): string {
    return this.#config.url;
  }

  get hasCredentials(): boolean {
    return this.#config.credentials.kind !== 'none';
  }

  repository(name: RepositoryName): UpstreamRepository {
    return upstreamRepository(name, {
      sources: () => this.#settings.sources,
      isAiling: () => this.#settings.open(),
      note: (error) => this.#note(error),
    });
  }

  async relay(request: RelayRequest): Promise<RelayAnswer> {
    const origin = this.#originFor(request.host);
    const prefix = origin.pathname.replace(/\/$/, '');
    const answer = await this.#settings.relay(origin, { ...request, path: prefix + request.path });
    return asNamed(answer, origin, request.host);
  }

  async upgrade(request: UpgradeRequest): Promise<Upgraded> {
    const origin = this.#originFor(request.host);
    const prefix = origin.pathname.replace(/\/$/, '');
    return await this.#settings.upgrade(origin, { ...request, path: prefix + request.path });
  }

  #originFor(host: string): URL {
    const origin = relayOrigin(this.#config, host);
    if (origin !== undefined) return origin;
    throw new RegistryError('UPSTREAM_UNKNOWN', `${host} is no host of ${this.name}`, { origin: 'client' });
  }

  async check(): Promise<UpstreamCheck> {
    const { main } = this.#settings.sources;
    const [problem, mirrors] = await Promise.all([
      problemOf(ping(main, this.hasCredentials ? 'own' : 'anonymous')),
      this.#checkMirrors(),
    ]);
    this.#note(problem);
    return { ...this.status(), mirrors };
  }

  /** Without credentials, as they are asked for content. */
  #checkMirrors(): Promise<readonly MirrorStatus[]> {
    const { mirrors } = this.#settings.sources;
    return Promise.all(
      mirrors.map(async ({ url, endpoint }) => {
        const problem = await problemOf(ping(endpoint, 'anonymous'));
        return { url, lastError: problem === undefined ? undefined : originOf(problem).message };
      }),
    );
  }

  status(): UpstreamStatus {
    const { sources } = this.#settings;
    return {
      name: this.name,
      url: this.url,
      circuit: this.#settings.open() ? 'open' : 'closed',
      lastError: this.#lastError,
      limit: this.#limit,
      transfers: sources.transfers.held,
    };
  }

  /** From now on these settings count; what is under way comes to its end with the old ones. */
  replace(config: UpstreamConfig): void {
    if (this.#settings.open()) {
      const reason = 'its settings are new';
      this.#surroundings.observer.emit({ type: 'upstream.circuit', upstream: this.name, state: 'closed', reason });
    }
    this.#retired = [...this.#retired, this.#settings].slice(-retiredMax);
    this.#config = config;
    this.#settings = this.#build(config);
    this.#lastError = undefined;
  }

  /** Breaks off what is under way. */
  async close(): Promise<void> {
    await Promise.all([...this.#retired, this.#settings].map((settings) => settings.close()));
  }

  /** The last failure is shown until something succeeds. */
  #note(error: unknown): void {
    if (error === undefined) this.#lastError = undefined;
    else if (error instanceof RegistryError) this.#lastError = originOf(error).message;
  }

  #build(config: UpstreamConfig): Settings {
    return buildSettings(config, this.#surroundings, (limit) => this.#limited(limit));
  }

  #limited(limit: RateLimit): void {
    const before = this.#limit;
    this.#limit = limit;
    if (before?.limit === limit.limit && before.remaining === limit.remaining) return;
    this.#surroundings.observer.emit({ type: 'upstream.limit', upstream: this.name, ...limit });
  }
}

/** @throws what is no RegistryError */
async function problemOf(work: Promise<void>): Promise<RegistryError | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof RegistryError) return error;
    throw error;
  }
}

/** What opened the circuit, not that it is open. */
function originOf(error: RegistryError): RegistryError {
  return error.cause instanceof RegistryError && error.cause.upstream !== undefined ? error.cause : error;
}
