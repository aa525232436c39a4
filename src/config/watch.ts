import { messageOf } from '../oci/errors.ts';
import { ConfigError } from './error.ts';
import { fingerprint } from './fingerprint.ts';
import type { Loaded } from './load.ts';

/** The part of a clock that watching needs. */
export interface WatchClock {
  setTimer(ms: number, run: () => void): { cancel(): void };
}

export interface WatchOptions {
  /** What is in force when watching begins. */
  readonly initial: Loaded;
  readonly clock: WatchClock;
  /** A new configuration, or the same one where only a file that it names (a password, a certificate) has changed. */
  readonly onChange: (loaded: Loaded) => void;
  /** A new one can't be used; the old one stays in force. */
  readonly onInvalid: (error: ConfigError) => void;
  /** How often the files are looked at; a change counts once it has stayed the same for as long. */
  readonly pollMs?: number;
}

export interface ConfigWatcher extends AsyncDisposable {
  /** Reads it again now, changed or not: for SIGHUP. */
  reload(): Promise<void>;
}

const defaultPollMs = 1_000;

/**
 * Watches the configuration file and the files that it names. Looks at their sizes and times instead of asking the
 * kernel for events: these miss what changes behind a bind mount, a symlink swap of Kubernetes, or a network file system.
 */
export function watchConfig(load: () => Promise<Loaded>, options: WatchOptions): ConfigWatcher {
  return new Watcher(load, options);
}

class Watcher implements ConfigWatcher {
  readonly #load: () => Promise<Loaded>;
  readonly #options: WatchOptions;
  readonly #pollMs: number;
  #files: readonly string[];
  /** What the files looked like when they were last read; undefined until they were looked at. */
  #inForce: string | undefined;
  #lastLook: string | undefined;
  #timer: { cancel(): void } | undefined;
  /** What is under way: one look or reading at a time. */
  #busy: Promise<void>;
  #isClosed = false;

  constructor(load: () => Promise<Loaded>, options: WatchOptions) {
    this.#load = load;
    this.#options = options;
    this.#pollMs = options.pollMs ?? defaultPollMs;
    this.#files = options.initial.files;
    this.#busy = this.#begin();
  }

  async reload(): Promise<void> {
    this.#busy = this.#busy.then(async () => await this.#read());
    await this.#busy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#busy;
  }

  async #begin(): Promise<void> {
    this.#inForce = this.#options.initial.fingerprint;
    this.#lastLook = await fingerprint(this.#files);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isClosed) return;
    this.#timer = this.#options.clock.setTimer(this.#pollMs, () => {
      this.#busy = this.#busy.then(async () => await this.#look());
    });
  }

  async #look(): Promise<void> {
    const look = await fingerprint(this.#files);
    const isSettled = look === this.#lastLook;
    this.#lastLook = look;
    if (isSettled && look !== this.#inForce) await this.#read();
    this.#schedule();
  }

  async #read(): Promise<void> {
    if (this.#isClosed) return;
    const before = await fingerprint(this.#files);
    const found = await this.#load().catch(asConfigError);
    if (found instanceof ConfigError) {
      const files = [...new Set([...this.#options.initial.files.slice(0, 1), ...found.files])];
      const isSame = files.join('\n') === this.#files.join('\n');
      this.#watch(files, isSame ? before : await fingerprint(files));
      this.#options.onInvalid(found);
    } else {
      this.#watch(found.files, found.fingerprint);
      this.#apply(found);
    }
  }

  #apply(loaded: Loaded): void {
    try {
      this.#options.onChange(loaded);
    } catch (error) {
      this.#options.onInvalid(problemOf(`can't be put into force (${messageOf(error)}); restart`));
    }
  }

  /** What changes while it is read is found at the next look: what the files were before counts. */
  #watch(files: readonly string[], before: string): void {
    this.#files = files;
    this.#inForce = before;
    this.#lastLook = before;
  }
}

/** A server that runs doesn't end because its configuration can't be read again, whatever the reason. */
function asConfigError(error: unknown): ConfigError {
  if (error instanceof ConfigError) return error;
  return problemOf(`can't be read again (${messageOf(error)}); what was in force stays so until it can, or restart`);
}

function problemOf(text: string): ConfigError {
  return new ConfigError([{ key: undefined, origin: { kind: 'default' }, text }]);
}
