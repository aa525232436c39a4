import type { LearnedSettings, LearnedUpstreams } from '../config/learned-upstreams.ts';
import type { ProofIndex } from '../index/contract.ts';
import type { Clock } from '../observe/clock.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Upstreams } from '../upstream/contract.ts';
import { behaviourOf, isOfSameDomain, realmIn } from './behaviour.ts';
import type { Target } from './target.ts';

export interface ExplorerOptions {
  readonly learned: LearnedUpstreams;
  readonly settings: () => LearnedSettings;
  readonly upstreams: Upstreams;
  /** Where it is kept what a registry asked for when it was there: it is one while it is away, too. */
  readonly challenges: Pick<ProofIndex, 'challenge'>;
  readonly clock: Clock;
}

/** What was none is not asked again for so long, in milliseconds. */
const noneMs = 5 * 60_000;
const nonesMax = 1_000;
/** What an answer to `/v2/` may have, in bytes; more is no registry's. */
const answerBytesMax = 64 * 1024;

/** Finds out whether a registry is at a host that nobody named: one `GET /v2/`, in nobody's name. */
export class Explorer {
  readonly #options: ExplorerOptions;
  readonly #asking = new Map<string, Promise<void>>();
  /** Until when they are none. */
  readonly #nones = new Map<string, number>();

  constructor(options: ExplorerOptions) {
    this.#options = options;
  }

  /**
   * What is found is in `learned`. What cannot be asked, and never was a registry, is none; what cannot be looked up or kept
   * makes no difference. Rejects only with a bug of ours, and then nothing is learned.
   */
  async explore({ name }: Target): Promise<void> {
    const { learned, clock } = this.#options;
    if (learned.find(name) !== undefined || clock.monotonic() < (this.#nones.get(name) ?? 0)) return;
    const running = this.#asking.get(name);
    if (running !== undefined) return await running;
    const asking = this.#ask(name).finally(() => this.#asking.delete(name));
    this.#asking.set(name, asking);
    await asking;
  }

  async #ask(name: string): Promise<void> {
    const { learned, settings, challenges } = this.#options;
    const before = await challenges.challenge(name).catch(noneIfFailed);
    // It has to be known to be asked.
    learned.learn(name, [], settings());
    const behaviour = await this.#behaviour(name)
      .catch(noneIfFailed)
      .catch((bug: unknown) => {
        learned.forget(name);
        throw bug;
      });
    if (behaviour === undefined ? before === undefined : !behaviour.isRegistry) {
      learned.forget(name);
      return this.#note(name);
    }
    const challenge = behaviour === undefined ? before : (behaviour.challenge ?? '');
    await challenges.challenge(name, challenge).catch(noneIfFailed);
    const realm = realmIn(challenge);
    learned.learn(name, realm !== undefined && isOfSameDomain(realm, name) ? [realm] : [], settings());
  }

  async #behaviour(name: string) {
    const upstream = this.#options.upstreams.find(name);
    if (upstream === undefined) return undefined;
    const signal = new AbortController().signal;
    const answer = await upstream.relay({
      host: name,
      method: 'GET',
      path: '/v2/',
      headers: {},
      body: undefined,
      signal,
    });
    let bytes = 0;
    for await (const chunk of answer.chunks) {
      bytes += chunk.length;
      if (bytes > answerBytesMax) break;
    }
    answer.cancel();
    return behaviourOf(answer.status, answer.headers);
  }

  #note(name: string): void {
    if (this.#nones.size >= nonesMax) this.#nones.clear();
    this.#nones.set(name, this.#options.clock.monotonic() + noneMs);
  }
}

function noneIfFailed(error: unknown): undefined {
  if (!(error instanceof RegistryError)) throw error;
}
