import assert from 'node:assert/strict';
import { ConfigError } from './error.ts';
import { loadConfig, type Loaded, type LoadOptions } from './load.ts';

/** For this room's tests: a machine on which nothing depends on who runs them. */
export async function loadText(text: string | undefined, env: LoadOptions['env'] = {}): Promise<Loaded> {
  const machine = {
    isRoot: true,
    home: '/root',
    dataHome: undefined,
    runtimeDirectory: '/run/user/0',
    workingDirectory: '/srv',
  };
  return await loadConfig({ text, env, machine });
}

/** The lines of the error that loading ends with. */
export async function problemsOf(text: string | undefined, env: LoadOptions['env'] = {}): Promise<readonly string[]> {
  const error = await loadText(text, env).then(
    () => assert.fail('it was accepted'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConfigError)) throw error;
  return error.message.split('\n');
}
