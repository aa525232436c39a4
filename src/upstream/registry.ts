import type { UpstreamConfig } from '../config/config.ts';
import { RegistryError } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type {
  RelayAnswer,
  RelayRequest,
  Upgraded,
  UpgradeRequest,
  Upstream,
  UpstreamRepository,
  UpstreamStatus,
} from './contract.ts';
import type { Answer } from './endpoint.ts';
import { invalidFailure } from './failure.ts';
import type { RateLimit } from './ratelimit.ts';
import { asNamed, relayOrigin } from './relay-origin.ts';
import { upstreamRepository } from './repository.ts';
import { buildSettings } from './settings.ts';
import type { Settings, Surroundings } from './settings.ts';
import { oddBody } from './transfer.ts';

/** Earlier settings that are kept in mind until the end. */
const retiredMax = 4;
const pingBytesMax = 65_536;

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

  async check(): Promise<UpstreamStatus> {
    try {
      await this.#ping();
      this.#note(undefined);
    } catch (error) {
      this.#note(error);
    }
    return this.status();
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

  /** A registry says 200 and JSON (or nothing) to `GET /v2/`, or asks who we are and believes our answer. */
  async #ping(): Promise<void> {
    const { main } = this.#settings.sources;
    const as = this.hasCredentials ? 'own' : 'anonymous';
    const ask = { path: '', method: 'GET', kind: 'ping', subject: '/v2/', repository: undefined, as } as const;
    const answer = await main.read({ ...ask, small: true }, pingBytesMax).catch((error: unknown) => {
      // Some token services give nothing to somebody who names neither himself nor a repository.
      const isDenied = error instanceof RegistryError && error.code === 'UPSTREAM_DENIED';
      if (isDenied && error.upstreamStatus !== undefined && as === 'anonymous') return undefined;
      throw error;
    });
    if (answer === undefined) return;
    const { status, headers } = answer.head;
    const odd = oddBody(headers);
    if (odd !== undefined) throw invalidFailure(answer.question, odd);
    if (status === 401 && headers['www-authenticate'] !== undefined && as === 'anonymous') return;
    if (status !== 200) throw main.fail(answer);
    if (!isJsonOrEmpty(answer)) throw invalidFailure(answer.question, 'does not answer as a registry does');
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

/** What opened the circuit, not that it is open. */
function originOf(error: RegistryError): RegistryError {
  return error.cause instanceof RegistryError && error.cause.upstream !== undefined ? error.cause : error;
}

function isJsonOrEmpty({ body }: Answer & { readonly body: Buffer }): boolean {
  if (body.length === 0) return true;
  try {
    JSON.parse(body.toString());
    return true;
  } catch {
    return false;
  }
}
