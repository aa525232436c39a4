import type { AdoptionProgress } from '../adopt/adoption.ts';
import type { Loaded } from '../config/load.ts';
import type { CollectLine } from '../admin/views.ts';
import type { Config } from '../config/config.ts';
import type { Clock } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import type { Log } from '../observe/log.ts';
import type { Upstreams } from '../upstream/contract.ts';
import type { CollectRequest } from './garbage-collect.ts';
import type { Output } from './output.ts';

/** What the commands need of the world; tests give another one. */
export interface Context {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly out: Output;
  readonly clock: Clock;
  /** A password, from a terminal or a pipe. */
  readonly askSecret: (question: string) => Promise<string>;
  /** Loaded when needed, so that `entrepot ls` does not wait for a server's worth of code. */
  readonly startServer: StartServer;
  readonly rebuildIndex: (loaded: Loaded, observer: Observer) => Promise<Rebuilt>;
  /** @throws RegistryError when a start would not take the index that is there */
  readonly inspectIndex: (index: { readonly path: string }) => Promise<void>;
  readonly openUpstreams: (config: Config) => Promise<Upstreams>;
  /** In a store that no server serves. */
  readonly collectStopped: (loaded: Loaded, request: CollectRequest) => AsyncIterable<CollectLine>;
  /** Resolves with the name of the first signal that asks to stop; `onReload` runs for each that asks to reload. */
  readonly untilStopped: (onReload: () => void) => Promise<string>;
}

export interface Rebuilt {
  /** Where the index lies that was there before. */
  readonly before: string | undefined;
  /** Why nothing could be taken over from that index; `undefined` when it could. */
  readonly unread: string | undefined;
  readonly found: AdoptionProgress;
}

export type StartServer = (options: { readonly loaded: Loaded; readonly log: Log }) => Promise<RunningServer>;

export interface RunningServer {
  /** Where it listens: `http://127.0.0.1:5000`. */
  readonly addresses: readonly string[];
  readonly adminSocket: string;
  /** Reads the configuration again; an invalid one changes nothing and is told in the log. */
  readonly reload?: () => Promise<void>;
  stop(reason: string): Promise<void>;
}
