import type { HealthConfig } from '../config/config.ts';
import { Watch } from './watch.ts';
import type { WatchContext } from './watch.ts';

export interface HealthOptions extends WatchContext {
  readonly config: () => HealthConfig;
}

/** Whether this server should be asked at all, by what its operator watches: registry's health checks. */
export interface Health extends AsyncDisposable {
  /** Nothing is wrong. */
  readonly isWell: boolean;
  /** What is wrong, by check; empty when nothing is. */
  problems(): Readonly<Record<string, string>>;
  /** Down until it is said otherwise, whatever the checks find. */
  declare(down: boolean): void;
  /** Begins to look; once more whenever the configuration has changed. */
  begin(): Promise<void>;
}

/** What registry calls the check that an operator makes fail by hand. */
const byHand = 'manual_http_status';

export function createHealth(options: HealthOptions): Health {
  let watches: readonly Watch[] = [];
  let down = false;
  let begun: Promise<void> = Promise.resolve();
  const end = async (): Promise<void> => {
    const ending = watches;
    watches = [];
    await Promise.all(ending.map((watch) => watch[Symbol.asyncDispose]()));
  };
  return {
    get isWell() {
      return !down && watches.every(({ problem }) => problem === undefined);
    },
    problems() {
      const failing = watches.flatMap(({ name, problem }) => (problem === undefined ? [] : [[name, problem] as const]));
      return Object.fromEntries([...(down ? [[byHand, 'manual Check'] as const] : []), ...failing]);
    },
    declare(isDown) {
      if (down !== isDown) {
        const problem = isDown ? 'an operator said so' : undefined;
        options.observer.emit({ type: 'health.changed', check: byHand, well: !isDown, problem });
      }
      down = isDown;
    },
    begin() {
      // One beginning after the other.
      begun = begun.then(end).then(() => {
        watches = options.config().checks.map((check) => new Watch(check, options));
      });
      return begun;
    },
    async [Symbol.asyncDispose]() {
      await begun;
      await end();
    },
  };
}
