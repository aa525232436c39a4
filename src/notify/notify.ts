import type { EndpointConfig, NotificationsConfig } from '../config/config.ts';
import type { Index, Notice } from '../index/contract.ts';
import type { Clock } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import type { Change } from '../oci/change.ts';
import type { Ask, RepositoryKey } from '../oci/repository.ts';
import type { Services } from '../upstream/services.ts';
import { Delivery } from './delivery.ts';
import { envelopeText, eventOf } from './event.ts';
import type { RegistryEvent, Source } from './event.ts';
import { Gathering } from './gathering.ts';

export interface NotifyOptions {
  readonly index: Index;
  readonly clock: Clock;
  readonly observer: Observer;
  /** This process, as leases name it. */
  readonly holder: string;
  readonly config: () => NotificationsConfig;
  readonly source: Source;
  readonly services: Services;
}

/**
 * Tells others what happens in the registry, as registry:2 does. What is told waits in the index until it is taken, in order,
 * for each endpoint by itself: a slow one keeps nobody waiting, and a restart loses nothing.
 */
export interface Notify extends AsyncDisposable {
  /** What to write together with a change of what is hosted. */
  noticesOf(change: Change, ask: Ask): readonly Notice[];
  /** Somebody pulled something. Told soon; what has not been written yet is lost with the process. */
  pulled(key: RepositoryKey, change: Change, ask: Ask): Promise<void>;
  /** Begins to send what waits; once more whenever the configuration has changed. */
  begin(): Promise<void>;
}

export function createNotify(options: NotifyOptions): Notify {
  return new TheNotify(options);
}

class TheNotify implements Notify {
  readonly #options: NotifyOptions;
  readonly #gathering: Gathering;
  readonly #deliveries = new Map<string, Delivery>();
  /** One beginning after the other. */
  #begun: Promise<void> = Promise.resolve();

  constructor(options: NotifyOptions) {
    this.#options = options;
    this.#gathering = new Gathering(options, (names) => this.#wake(names));
  }

  noticesOf(change: Change, ask: Ask): readonly Notice[] {
    const notices = this.#noticesOf(change, ask);
    // By then the transaction that they are written in has ended.
    if (notices.length > 0) queueMicrotask(() => this.#wake(notices.map(({ endpoint }) => endpoint)));
    return notices;
  }

  async pulled(key: RepositoryKey, change: Change, ask: Ask): Promise<void> {
    const { endpoints, includeReferences } = this.#options.config();
    if (endpoints.every(({ ignoredActions }) => ignoredActions.includes('pull'))) return;
    const whole = includeReferences ? await this.#whole(key, change) : change;
    this.#gathering.add(this.#noticesOf(whole, ask));
  }

  begin(): Promise<void> {
    const begun = this.#begun.then(() => this.#begin());
    this.#begun = begun.catch(() => {});
    return begun;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gathering[Symbol.asyncDispose]();
    await this.#begun;
    await this.#stop();
  }

  async #begin(): Promise<void> {
    const { endpoints } = this.#options.config();
    const names = new Set(endpoints.map(({ name }) => name));
    await this.#stop();
    for (const { endpoint, waiting } of await this.#options.index.notices.queues()) {
      if (names.has(endpoint)) continue;
      await this.#options.index.notices.forget(endpoint);
      if (waiting > 0) this.#options.observer.emit({ type: 'notices.forgotten', endpoint, waiting });
    }
    for (const endpoint of endpoints) {
      this.#deliveries.set(endpoint.name, new Delivery(endpoint, this.#options));
    }
  }

  async #stop(): Promise<void> {
    const running = [...this.#deliveries.values()];
    this.#deliveries.clear();
    await Promise.all(running.map((delivery) => delivery[Symbol.asyncDispose]()));
  }

  #wake(names: readonly string[]): void {
    for (const name of new Set(names)) this.#deliveries.get(name)?.wake();
  }

  #noticesOf(change: Change, ask: Ask): readonly Notice[] {
    const { sent, asker, requestId } = ask;
    const { endpoints, includeReferences } = this.#options.config();
    if (sent === undefined || endpoints.length === 0) return [];
    const { clock, source } = this.#options;
    const atMs = clock.now();
    const event = eventOf({ change, sent, asker, requestId, atMs, source, includeReferences });
    const wanting = endpoints.filter((endpoint) => isWanted(event, endpoint));
    const body = wanting.length === 0 ? '' : envelopeText(event);
    return wanting.map(({ name }) => ({ endpoint: name, body }));
  }

  /** Who asks with HEAD sees no manifest, and yet its references are told. */
  async #whole(key: RepositoryKey, change: Change): Promise<Change> {
    if (change.action === 'delete' || change.kind !== 'manifest' || change.manifest.bytes !== undefined) return change;
    const held = await this.#options.index.manifests.find(key, change.manifest.digest);
    return { ...change, manifest: { ...change.manifest, bytes: held?.bytes } };
  }
}

function isWanted({ action, target }: RegistryEvent, endpoint: EndpointConfig): boolean {
  if (endpoint.ignoredActions.includes(action)) return false;
  return target.mediaType === undefined || !endpoint.ignoredMediaTypes.includes(target.mediaType);
}
