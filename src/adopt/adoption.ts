import type { Timer } from '../observe/clock.ts';
import { inTime } from '../observe/in-time.ts';
import { messageOf, RegistryError } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { RepositoryKey, WritableRepository } from '../oci/repository.ts';
import { hasLinkTree } from '../store/link-tree.ts';
import type { LinkPlace, LinkTrouble } from '../store/link-tree.ts';
import { reconcileBlobs } from './blobs.ts';
import type { AdoptionContext, AdoptionOptions, Counts } from './context.ts';
import { glance } from './glance.ts';
import { PendingRepository } from './pending.ts';
import { adoptRepository, tell } from './repository.ts';

/**
 * Takes in what the volume's links say: all of it from a volume of `registry:2`, and after that, at every start, what has
 * been changed by others since.
 */
export interface Adoption extends AsyncDisposable {
  /** Until then nothing is deleted for want of a reference: perhaps there is one that nobody has read yet. */
  readonly isDone: boolean;
  /** What was not taken in although it may need blobs of the volume: then they stay all the same, for want of knowing. */
  readonly unread: string | undefined;
  readonly progress: AdoptionProgress;
  /** Begins, in the background. */
  begin(): void;
  /** Resolves when it is done, for whoever has nothing else to do. */
  finished(): Promise<void>;
  /**
   * Resolves when the index says of a repository what its links say: before that, that it does not hold something means
   * nothing.
   * @throws RegistryError `UNAVAILABLE` when that takes too long, or fails
   */
  look(key: RepositoryKey): Promise<void>;
  /** The same repository, of which nothing is said that its links may contradict. */
  reconciled(repository: WritableRepository): Promise<WritableRepository>;
}

export interface AdoptionProgress extends Readonly<Counts> {
  readonly state: 'waiting' | 'reading links' | 'looking for blobs' | 'done';
}

export function createAdoption(options: AdoptionOptions): Adoption {
  return new TheAdoption(options);
}

/** Repositories that are read together. */
const readTogether = 4;
const hostedPage = 500;
/** In milliseconds. */
const progressEveryMs = 10_000;
const retryMs = 50;
const retryAllMs = 60_000;
/** How long a request waits for its repository: clients wait for a minute at least. */
const patienceMs = 20_000;

class TheAdoption implements Adoption {
  readonly #options: AdoptionOptions;
  readonly #counts: Counts = { repositories: 0, manifests: 0, blobs: 0, dangling: 0, troubles: 0 };
  readonly #context: AdoptionContext | undefined;
  /** Repositories that are as their links say. */
  readonly #settled = new Set<RepositoryName>();
  /** Those of which something could not be read. */
  readonly #partial = new Set<RepositoryName>();
  readonly #running = new Map<RepositoryName, Promise<void>>();
  readonly #done = Promise.withResolvers<void>();
  readonly #closing = Promise.withResolvers<never>();
  #state: AdoptionProgress['state'] = 'waiting';
  #unread: string | undefined;
  #ready: Promise<void> = Promise.resolve();
  #work: Promise<void> = Promise.resolve();
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: AdoptionOptions) {
    this.#options = options;
    const { store } = options;
    this.#closing.promise.catch(() => {});
    // Who writes what is pending ends in its own time, and nobody waits for that here.
    const drain: AdoptionContext['drain'] = (only) => Promise.race([options.drain(only), this.#closing.promise]);
    if (hasLinkTree(store)) this.#context = { ...options, store, drain, counts: this.#counts };
    else this.#end();
  }

  get isDone(): boolean {
    return this.#state === 'done';
  }

  get unread(): string | undefined {
    return this.#unread;
  }

  get progress(): AdoptionProgress {
    return { ...this.#counts, state: this.#state };
  }

  begin(): void {
    const context = this.#context;
    if (context === undefined) return;
    this.#ready = this.#prepare(context);
    this.#ready.catch(() => {});
    this.#work = this.#run(context);
  }

  finished(): Promise<void> {
    return this.#done.promise;
  }

  async look(key: RepositoryKey): Promise<void> {
    const context = this.#context;
    if (context === undefined || this.#state === 'done' || this.#settled.has(key.name)) return;
    const own = context.keyOf(key.name);
    if (own === undefined || own.upstream !== key.upstream) return;
    await inTime(this.#options.clock, patienceMs, this.#settle(context, own), tooSlow);
  }

  async reconciled(repository: WritableRepository): Promise<WritableRepository> {
    const context = this.#context;
    const { key } = repository;
    if (context === undefined || this.#state === 'done' || this.#settled.has(key.name)) return repository;
    const own = context.keyOf(key.name);
    if (own === undefined || own.upstream !== key.upstream) return repository;
    const whole = (): Promise<void> => this.look(key);
    // What was pushed before the start goes before what the links say; to write all of it may take minutes.
    if (this.#state === 'waiting' && (await context.index.adoption.standing(key)).pending)
      return new PendingRepository(repository, { isSure: async () => true, writable: async () => {}, whole });
    const isSure = (place: LinkPlace): Promise<boolean> => this.#ready.then(() => glance(context, key, place));
    return new PendingRepository(repository, { isSure, writable: whole, whole });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#closing.reject(ending());
    this.#timer?.cancel();
    await this.#work;
    await Promise.allSettled(this.#running.values());
  }

  /** Where there are no links yet, or not any more, the index knows better. */
  async #prepare({ store, index }: AdoptionContext): Promise<void> {
    if (!(await store.hasLinks())) await index.adoption.relink();
  }

  async #run(context: AdoptionContext): Promise<void> {
    const { clock, observer } = context;
    const startedMs = clock.monotonic();
    const progress = (): void => {
      const ms = clock.monotonic() - startedMs;
      observer.emit({ type: 'adoption.progress', ...this.progress, ms });
    };
    const tellAgain = (): void => {
      this.#timer = clock.setTimer(progressEveryMs, () => {
        progress();
        tellAgain();
      });
    };
    tellAgain();
    try {
      await this.#adoptAll(context);
      this.#timer?.cancel();
      if (this.#closed) return;
      this.#end();
      progress();
    } catch (error) {
      this.#timer?.cancel();
      if (this.#closed) return;
      const message = messageOf(error);
      observer.emit({ type: 'task.failed', task: 'adopting the volume', message });
      for (const name of this.#partial) this.#settled.delete(name);
      this.#timer = clock.setTimer(retryAllMs, () => this.begin());
    }
  }

  async #adoptAll(context: AdoptionContext): Promise<void> {
    const { store, index, drain, clock } = context;
    await this.#ready;
    // What was pushed before is to be among the links before they are believed.
    while (!this.#closed && !(await drain())) await clock.sleep(retryMs);
    this.#state = 'reading links';
    const names = store.linkedRepositories((trouble) => this.#tell(context, trouble));
    await this.#each(names, (name) => this.#adoptNamed(context, name));
    await this.#each(hostedIn(index), (name) => this.#settle(context, { upstream: undefined, name }));
    if (this.#closed) return;
    for (const name of this.#partial) throw unreadable(name, this.#partial.size);
    this.#state = 'looking for blobs';
    await reconcileBlobs(context, () => this.#closed);
  }

  async #adoptNamed(context: AdoptionContext, name: RepositoryName): Promise<void> {
    const key = context.keyOf(name);
    if (key !== undefined) return this.#settle(context, key);
    const reason = 'hosted.names does not cover it: add it there, or a pattern that matches it';
    this.#tell(context, { path: name, reason, hides: true });
  }

  #tell(context: AdoptionContext, trouble: LinkTrouble): void {
    tell(context, trouble);
    if (trouble.hides === true) this.#unread ??= trouble.path;
  }

  async #each(names: AsyncIterable<RepositoryName>, run: (name: RepositoryName) => Promise<void>): Promise<void> {
    const left = names[Symbol.asyncIterator]();
    const work = async (): Promise<void> => {
      for (let next = await left.next(); next.done !== true && !this.#closed; next = await left.next()) {
        await run(next.value);
      }
    };
    await Promise.all(Array.from({ length: readTogether }, work));
  }

  /** Once for all who ask meanwhile. */
  #settle(context: AdoptionContext, key: RepositoryKey): Promise<void> {
    const { name } = key;
    if (this.#settled.has(name)) return Promise.resolve();
    const running = this.#running.get(name) ?? this.#settleNow(context, key);
    this.#running.set(name, running);
    return running;
  }

  async #settleNow(context: AdoptionContext, key: RepositoryKey): Promise<void> {
    try {
      await this.#ready;
      if (await adoptRepository(context, key)) this.#partial.delete(key.name);
      else this.#partial.add(key.name);
      this.#settled.add(key.name);
      this.#counts.repositories += 1;
    } finally {
      this.#running.delete(key.name);
    }
  }

  #end(): void {
    this.#state = 'done';
    this.#settled.clear();
    this.#done.resolve();
  }
}

async function* hostedIn({ adoption }: AdoptionContext['index']): AsyncIterable<RepositoryName> {
  for (let last: RepositoryName | undefined; ;) {
    const names = await adoption.hosted(last ?? '', hostedPage);
    yield* names;
    last = names.at(-1);
    if (names.length < hostedPage) return;
  }
}

function unreadable(name: RepositoryName, count: number): RegistryError {
  const message = `${count} repositories, such as ${name}, could not be read whole, and nothing is evicted or collected before they are: make their files readable for the user that runs entrepot`;
  return new RegistryError('UNAVAILABLE', message, { origin: 'store' });
}

function ending(): RegistryError {
  const message = 'this server is just ending: ask again in a moment';
  return new RegistryError('UNAVAILABLE', message, { origin: 'store', retryAfterSeconds: 5 });
}

function tooSlow(): RegistryError {
  const message = 'this repository is just being read from the volume for the first time: ask again in a moment';
  return new RegistryError('UNAVAILABLE', message, { origin: 'store', retryAfterSeconds: 5 });
}
