/**
 * A server under measurement: a process group of its own, whose output goes to a file and costs us nothing.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { listening } from '../../test/support/ports.ts';
import { ProcessGroup } from './process-group.ts';

export interface ProgramOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** Where both of its streams are written. */
  readonly log: string;
  /** It has started when this accepts connections. */
  readonly port: number;
}

const START_MS_MAX = 30_000;
const STOP_MS_MAX = 20_000;

export class Program implements AsyncDisposable {
  readonly group: ProcessGroup;
  /** A file with what it says. */
  readonly log: string;
  /** From its start until its port accepted connections. */
  readonly startMs: number;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  private constructor(child: ChildProcess, ended: Promise<unknown>, startMs: number, log: string) {
    this.log = log;
    this.#child = child;
    this.#ended = ended;
    this.startMs = startMs;
    this.group = new ProcessGroup(child.pid ?? 0);
  }

  static async start({ command, args, log, port }: ProgramOptions): Promise<Program> {
    const output = openSync(log, 'a');
    const startedAt = performance.now();
    const child = spawn(command, args, { stdio: ['ignore', output, output], detached: true });
    closeSync(output);
    const killWithUs = (): void => signal(child, 'SIGKILL');
    process.once('exit', killWithUs);
    const ended = once(child, 'exit').finally(() => process.off('exit', killWithUs));
    const giveUp = AbortSignal.timeout(START_MS_MAX);
    const up = await Promise.race([
      listening(port, giveUp).then(
        () => true,
        () => false,
      ),
      ended.then(
        () => false,
        () => false,
      ),
    ]);
    const program = new Program(child, ended, performance.now() - startedAt, log);
    if (up) return program;
    await program.stop();
    throw new Error(`${command} ${args.join(' ')} did not start:\n${(await readFile(log, 'utf8')).slice(-4000)}`);
  }

  /** Asks it to end, and sees to it that nothing of its group is left. */
  async stop(): Promise<void> {
    signal(this.#child, 'SIGTERM');
    const impatience = setTimeout(() => signal(this.#child, 'SIGKILL'), STOP_MS_MAX);
    await this.#ended.catch(() => undefined);
    clearTimeout(impatience);
    signal(this.#child, 'SIGKILL');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

function signal({ pid }: ChildProcess, name: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, name);
  } catch {
    // The group has ended.
  }
}
