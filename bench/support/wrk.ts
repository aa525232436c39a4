/**
 * wrk as load generator: C, one core of it makes more requests than any server here answers.
 */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export interface LoadOptions {
  readonly origin: string;
  /** Asked in this order, and then again from the first. */
  readonly paths: readonly string[];
  readonly accept: string;
  readonly connections: number;
  readonly seconds: number;
  /** Where the list of paths is put. */
  readonly directory: string;
}

export interface Load {
  readonly requestsPerSecond: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  /** Answers that were not 2xx, and connections that broke. */
  readonly failures: number;
}

const SCRIPT = fileURLToPath(new URL('./wrk.lua', import.meta.url));

/** @throws when wrk is not installed or prints something else */
export async function generateLoad(options: LoadOptions): Promise<Load> {
  const list = join(options.directory, 'paths.txt');
  await writeFile(list, options.paths.join('\n'));
  const amount = ['-t1', `-c${options.connections}`, `-d${options.seconds}s`, '--timeout', '10s'];
  const args = [...amount, '-s', SCRIPT, options.origin, '--', list, options.accept];
  const { stdout } = await promisify(execFile)('wrk', args);
  const line = /^RESULT (.+)$/m.exec(stdout)?.[1];
  if (line === undefined) throw new Error(`wrk printed no result:\n${stdout}`);
  return JSON.parse(line) as Load;
}
