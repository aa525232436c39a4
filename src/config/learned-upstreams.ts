import type { UpstreamConfig } from './config.ts';
import { plainUpstream } from './upstream-defaults.ts';

/** A client could make up any number of names. */
export const learnedUpstreamsMax = 256;

/** What is said of registries that nobody named. */
export type LearnedSettings = Pick<UpstreamConfig, 'dial' | 'resolver'>;

/** Registries that nobody named, but that were found to be some. The longest unused goes first. */
export class LearnedUpstreams {
  readonly #hosts = new Map<string, UpstreamConfig>();

  /** @param realms hosts of its token service */
  learn(host: string, realms: readonly string[], settings: LearnedSettings): UpstreamConfig {
    const config = plainUpstream(host, { ...settings, realms, named: false, learned: true });
    this.#keep(host, config);
    return config;
  }

  forget(host: string): void {
    this.#hosts.delete(host);
  }

  find(host: string): UpstreamConfig | undefined {
    const config = this.#hosts.get(host);
    if (config !== undefined) this.#keep(host, config);
    return config;
  }

  /** The registry whose token service is there. */
  byRealm(host: string): UpstreamConfig | undefined {
    return [...this.#hosts.values()].find(({ realms }) => realms.includes(host));
  }

  #keep(host: string, config: UpstreamConfig): void {
    this.#hosts.delete(host);
    this.#hosts.set(host, config);
    const [longestUnused] = this.#hosts.keys();
    if (this.#hosts.size > learnedUpstreamsMax && longestUnused !== undefined) this.#hosts.delete(longestUnused);
  }
}
