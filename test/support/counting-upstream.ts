/**
 * A registry that counts, waits, cuts and lies: the outside world of every journey and fault test.
 *
 *     await using upstream = await CountingUpstream.start({ auth: { kind: 'bearer' }, blobRedirects: {} });
 *     upstream.publish('library/redis:7', makeImage());
 *     using outage = upstream.fault({ path: '/manifests/', times: 1 }, status(503));
 *     assert.equal(upstream.count({ method: 'GET', path: '/blobs/' }), 3);
 *
 * It is real: HTTP over TCP on a free loopback port, with TLS where asked. Its token service and its content delivery
 * network are origins of their own. The other upstream-*.ts files are its parts.
 */
import { text } from 'node:stream/consumers';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Authority } from './certificates.ts';
import { testAuthority } from './certificates.ts';
import type { Content, Manifest } from './images.ts';
import { Throttle } from './throttle.ts';
import { Gatekeeper } from './upstream-auth.ts';
import type { AuthOptions } from './upstream-auth.ts';
import { Catalog } from './upstream-catalog.ts';
import { Faults } from './upstream-faults.ts';
import type { Fault, FaultFilter, FaultHandle } from './upstream-faults.ts';
import { makeGate } from './upstream-gate.ts';
import type { Gate } from './upstream-gate.ts';
import { Ledger } from './upstream-ledger.ts';
import type { Filter, HostIdentity, Transferred } from './upstream-ledger.ts';
import { Listener } from './upstream-listener.ts';
import { Redirects } from './upstream-redirects.ts';
import type { RedirectOptions } from './upstream-redirects.ts';
import { Registry } from './upstream-registry.ts';
import type { RegistryOptions } from './upstream-registry.ts';
import { refusal } from './upstream-reply.ts';
import type { Exchange } from './upstream-reply.ts';
import { sendReply } from './upstream-send.ts';

export interface UpstreamOptions extends RegistryOptions {
  /** Default: everybody may read everything. */
  readonly auth?: AuthOptions;
  /** Default: the registry serves blobs itself. */
  readonly blobRedirects?: RedirectOptions;
  /** `true`: certificates of `testAuthority()`. */
  readonly tls?: boolean | Authority;
  /** Waited, in real time, before every answer. */
  readonly latencyMs?: number;
  /** For all bodies together. */
  readonly bytesPerSecond?: number;
  /** For each TCP connection. */
  readonly bytesPerSecondEach?: number;
  /** Milliseconds since the epoch, by which tokens and signed URLs expire: give a fake clock's. */
  readonly now?: () => number;
  /** Where to listen. Linux has all of 127.0.0.0/8, so that origins may differ by host too. Default 127.0.0.1. */
  readonly addresses?: Readonly<Partial<Record<HostIdentity, string>>>;
}

export class CountingUpstream implements AsyncDisposable {
  /** What was asked and sent, entry by entry. */
  readonly ledger = new Ledger();
  /** Accounts and tokens. */
  readonly gatekeeper: Gatekeeper;
  readonly #catalog = new Catalog();
  readonly #faults = new Faults();
  readonly #listeners = new Map<HostIdentity, Listener>();
  readonly #registry: Registry;
  readonly #options: UpstreamOptions;
  readonly #total: Throttle | undefined;

  private constructor(options: UpstreamOptions) {
    const now = options.now ?? (() => Math.round(performance.timeOrigin + performance.now()));
    this.#options = options;
    this.#total = options.bytesPerSecond === undefined ? undefined : new Throttle(options.bytesPerSecond);
    this.gatekeeper = new Gatekeeper(options.auth, now, () => `${this.originOf('token')}/token`);
    const { blobRedirects } = options;
    const redirects = blobRedirects && new Redirects(blobRedirects, now, () => this.originOf('cdn'));
    this.#registry = new Registry(options, this.#catalog, this.gatekeeper, redirects);
  }

  static async start(options: UpstreamOptions = {}): Promise<CountingUpstream> {
    const upstream = new CountingUpstream(options);
    await upstream.#open();
    return upstream;
  }

  /** `127.0.0.1:12345`, the registry's. */
  get authority(): string {
    return this.#listener('registry').authority;
  }

  /** `http://127.0.0.1:12345`, the registry's. */
  get origin(): string {
    return this.originOf('registry');
  }

  /** The token service without an origin of its own is at the registry's. */
  originOf(host: HostIdentity): string {
    return this.#listener(host).origin;
  }

  /** How many TCP connections were made to this origin. */
  connections(host: HostIdentity = 'registry'): number {
    return this.#listener(host).connections;
  }

  /** `publish('library/redis:7', image)` holds the image with all below it, and points the tag at it. */
  publish(name: string, manifest: Manifest): void {
    this.#catalog.publish(name, manifest);
  }

  publishBlob(repository: string, blob: Content): void {
    this.#catalog.publishBlob(repository, blob);
  }

  /** Forgets a tag (`library/redis:7`), one content (`library/redis@sha256:...`) or a whole repository. */
  withdraw(name: string): void {
    this.#catalog.withdraw(name);
  }

  /** From now on such requests meet this fault. See upstream-faults.ts. */
  fault(filter: FaultFilter, fault: Fault): FaultHandle {
    return this.#faults.add(filter, fault);
  }

  /** From now on such requests wait at this gate: before any answer, or before the byte at an offset of the content. */
  gate(filter: FaultFilter, options: { readonly at?: number } = {}): Gate {
    const { gate, fault } = makeGate(options.at);
    this.#faults.add(filter, fault);
    return gate;
  }

  /** Cuts all connections and refuses new ones. */
  async down(host?: HostIdentity): Promise<void> {
    await Promise.all(this.#each(host).map((listener) => listener.down()));
  }

  /** Ends `down` and `blackhole`; the port is the same as before. */
  async up(host?: HostIdentity): Promise<void> {
    await Promise.all(this.#each(host).map((listener) => listener.up()));
  }

  /** Accepts connections and requests but says nothing more, not even in bodies under way. */
  blackhole(host?: HostIdentity): void {
    for (const listener of this.#each(host)) listener.blackhole();
  }

  count(filter: Filter = {}): number {
    return this.ledger.count(filter);
  }

  blobBytes(digest: string): Transferred {
    return this.ledger.blobBytes(digest);
  }

  /** Starts the count anew. */
  reset(): void {
    this.ledger.reset();
  }

  summary(): string {
    return this.ledger.summary();
  }

  /** From now on nothing may reach this upstream: `assertUntouched` tells. */
  forbid(): void {
    this.ledger.forbid();
  }

  assertUntouched(): void {
    this.ledger.assertUntouched();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#each().map((listener) => listener[Symbol.asyncDispose]()));
  }

  async #open(): Promise<void> {
    const { auth, blobRedirects, tls, addresses, bytesPerSecondEach } = this.#options;
    const authority = tls === true ? testAuthority() : tls || undefined;
    const hosts: HostIdentity[] = ['registry'];
    if (auth?.realm === 'other') hosts.push('token');
    if (blobRedirects) hosts.push('cdn');
    for (const host of hosts) {
      const address = addresses?.[host] ?? '127.0.0.1';
      const certificate = authority?.issue([address, 'localhost']);
      const serve = (listener: Listener, request: IncomingMessage, response: ServerResponse): void =>
        void this.#serve(listener, request, response);
      this.#listeners.set(host, await Listener.open({ host, address, certificate, bytesPerSecondEach, serve }));
    }
  }

  async #serve(listener: Listener, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const entry = this.ledger.open(listener.host, request);
    const { promise: over, resolve } = Promise.withResolvers<void>();
    response.once('close', () => {
      this.ledger.close(entry, response.writableFinished ? 'finished' : listener.listening ? 'aborted' : 'broken');
      resolve();
    });
    const url = new URL(request.url ?? '/', listener.origin);
    const exchange: Exchange = { entry, url, request, response, listener, over };
    // A client that leaves in the middle of its own body is no concern of the upstream.
    entry.body = await text(request).catch(() => '');
    await this.#answer(exchange);
  }

  async #answer(exchange: Exchange): Promise<void> {
    if (exchange.listener.swallowing) return;
    const { latencyMs } = this.#options;
    if (latencyMs !== undefined) await new Promise((resolve) => setTimeout(resolve, latencyMs));
    const outcome = this.ledger.forbidding
      ? refusal(500, 'FORBIDDEN_BY_THE_TEST')
      : await this.#faults.arriving(exchange);
    if (outcome === 'over' || exchange.response.destroyed || exchange.listener.swallowing) return;
    const reply = outcome === 'pass' ? this.#registry.answer(exchange) : outcome;
    this.#faults.replying(exchange, reply);
    await sendReply(exchange, reply, this.#total);
  }

  #each(host?: HostIdentity): Listener[] {
    return host === undefined ? [...this.#listeners.values()] : [this.#listener(host)];
  }

  #listener(host: HostIdentity): Listener {
    const listener = this.#listeners.get(host) ?? this.#listeners.get('registry');
    if (!listener) throw new Error('the upstream was not started');
    return listener;
  }
}
