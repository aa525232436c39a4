import assert from 'node:assert/strict';
import { mkdtemp, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { ConfigError } from './error.ts';
import { loadConfig, type Loaded } from './load.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import { watchConfig, type WatchClock } from './watch.ts';

/** Timers that fire when the test says so; a look is over when the next timer is set. */
class ManualClock implements WatchClock {
  #run: (() => void) | undefined;
  #set = Promise.withResolvers<void>();

  setTimer(_ms: number, run: () => void): { cancel(): void } {
    this.#run = run;
    this.#set.resolve();
    return { cancel: () => (this.#run = undefined) };
  }

  async tick(): Promise<void> {
    await this.#set.promise;
    this.#set = Promise.withResolvers<void>();
    this.#run?.();
    await this.#set.promise;
  }

  get isWaiting(): boolean {
    return this.#run !== undefined;
  }
}

interface Watched {
  readonly directory: string;
  readonly file: string;
  readonly clock: ManualClock;
  readonly changes: Loaded[];
  readonly errors: ConfigError[];
  readonly reload: () => Promise<void>;
  readonly tick: () => Promise<void>;
}

async function watched(text: (directory: string) => string, run: (each: Watched) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'entrepot-watch-'));
  try {
    const file = join(directory, 'config.yml');
    await writeFile(join(directory, 'password'), 'one');
    await writeFile(file, text(directory));
    const load = async () => await loadConfig({ path: file, env: {} });
    const clock = new ManualClock();
    const changes: Loaded[] = [];
    const errors: ConfigError[] = [];
    const initial = await load();
    await using watcher = watchConfig(load, {
      initial,
      clock,
      onChange: (loaded) => changes.push(loaded),
      onInvalid: (error) => errors.push(error),
    });
    await run({
      directory,
      file,
      clock,
      changes,
      errors,
      reload: async () => await watcher.reload(),
      tick: async () => await clock.tick(),
    });
  } finally {
    await rm(directory, { recursive: true });
  }
}

const withPassword = (directory: string): string =>
  `upstreams: { a.b: { credentials: { username: u, passwordfile: ${directory}/password } } }\n`;

describe('watching the configuration', () => {
  test('reads it again once a change has settled, and only once', async () => {
    await watched(
      () => 'cache: { size: 1GB }\n',
      async ({ file, changes, tick }) => {
        await tick();
        assert.equal(changes.length, 0);
        await writeFile(file, 'cache: { size: 2GB }\n');
        await tick();
        assert.equal(changes.length, 0, 'the change has not settled');
        await tick();
        await tick();
        assert.deepEqual(
          changes.map((each) => each.config.cache.size),
          [{ kind: 'bytes', sizeBytes: 2e9 }],
        );
      },
    );
  });

  test('notices a file that takes the place of the old one', async () => {
    await watched(
      () => 'cache: { size: 1GB }\n',
      async ({ directory, file, changes, tick }) => {
        await writeFile(join(directory, 'new.yml'), 'cache: { size: 3GB }\n');
        await rename(join(directory, 'new.yml'), file);
        await tick();
        await tick();
        assert.equal(changes.length, 1);
      },
    );
  });

  test('notices what changed between the first reading and the first look', async () => {
    await using directory = await TempDir.make();
    const file = directory.join('config.yml');
    await writeFile(file, 'cache: { size: 1GB }\n');
    const load = async () => await loadConfig({ path: file, env: {} });
    const initial = await load();
    await writeFile(file, 'cache: { size: 22GB }\n');
    const clock = new ManualClock();
    const changes: Loaded[] = [];
    const onChange = (loaded: Loaded): void => void changes.push(loaded);
    const onInvalid = (error: ConfigError): void => assert.fail(error.message);
    await using watcher = watchConfig(load, { initial, clock, onChange, onInvalid });
    await clock.tick();
    await clock.tick();
    assert.deepEqual(
      changes.map((each) => each.config.cache.size),
      [{ kind: 'bytes', sizeBytes: 22e9 }],
    );
    void watcher;
  });

  test('notices a password that changes in its file', async () => {
    await watched(withPassword, async ({ directory, changes, tick }) => {
      await tick();
      await writeFile(join(directory, 'password'), 'three');
      await tick();
      await tick();
      assert.equal(changes.length, 1);
    });
  });

  test('keeps the old one while the new one is invalid, says so once, and takes the next', async () => {
    await watched(
      () => 'cache: { size: 1GB }\n',
      async ({ file, changes, errors, tick }) => {
        await writeFile(file, 'cache: { siez: 2GB }\n');
        for (let look = 0; look < 4; look += 1) await tick();
        assert.equal(changes.length, 0);
        assert.equal(errors.length, 1);
        assert.match(errors[0]?.message ?? '', /config\.yml:1:10: cache\.siez: unknown key; write size/u);
        await writeFile(file, 'cache: { size: 4GB }\n');
        await tick();
        await tick();
        assert.equal(changes.length, 1);
        assert.equal(errors.length, 1);
      },
    );
  });

  test('takes it when a file that was missing appears', async () => {
    await watched(withPassword, async ({ directory, changes, errors, tick }) => {
      await rm(join(directory, 'password'));
      await tick();
      await tick();
      assert.equal(errors.length, 1);
      assert.match(errors[0]?.message ?? '', /passwordfile: .* does not exist; check the path/u);
      await writeFile(join(directory, 'password'), 'back');
      await tick();
      await tick();
      assert.equal(changes.length, 1);
    });
  });

  test('reads it again on request, changed or not', async () => {
    await watched(
      () => 'cache: { size: 1GB }\n',
      async ({ changes, reload }) => {
        await reload();
        assert.equal(changes.length, 1);
      },
    );
  });

  test('reads it again when only its time has changed', async () => {
    await watched(
      () => 'cache: { size: 1GB }\n',
      async ({ file, changes, tick }) => {
        await utimes(file, 1, 1);
        await tick();
        await tick();
        assert.equal(changes.length, 1);
      },
    );
  });

  test('outlives whatever goes wrong while reading', async () => {
    const clock = new ManualClock();
    const errors: ConfigError[] = [];
    const initial = await loadConfig({ text: '', env: {} });
    await using watcher = watchConfig(async () => await Promise.reject(new Error('disk on fire')), {
      initial,
      clock,
      onChange: () => assert.fail('nothing was read'),
      onInvalid: (error) => errors.push(error),
    });
    await watcher.reload();
    assert.match(errors[0]?.message ?? '', /disk on fire.*what was in force stays so/u);
  });

  test('goes on when a new configuration cannot be put into force, and tells of it', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('config.yml');
    await writeFile(path, '');
    const load = async () => await loadConfig({ path, env: {} });
    const [clock, errors] = [new ManualClock(), [] as ConfigError[]];
    let changes = 0;
    const onChange = (): void => {
      changes += 1;
      throw new Error('no hands');
    };
    const onInvalid = (error: ConfigError): void => void errors.push(error);
    await using watcher = watchConfig(load, { initial: await load(), clock, onChange, onInvalid });
    await writeFile(path, 'cache: { size: 1GB }');
    for (let look = 0; look < 3; look += 1) await clock.tick();
    await watcher.reload();
    assert.equal(changes, 2);
    assert.match(errors[1]?.message ?? '', /can't be put into force \(no hands\); restart$/u);
  });

  test('ends when it is disposed', async () => {
    const clock = new ManualClock();
    const initial = await loadConfig({ text: '', env: {} });
    {
      await using watcher = watchConfig(async () => await Promise.resolve(initial), {
        initial,
        clock,
        onChange: () => {},
        onInvalid: () => {},
      });
      await watcher.reload();
      assert.equal(clock.isWaiting, true);
    }
    assert.equal(clock.isWaiting, false);
  });
});
