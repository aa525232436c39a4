import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly input?: string;
}

const commandTimeoutMs = 120_000;
const stopTimeoutMs = 10_000;

/** Runs a command to its end. Resolves with its output; rejects, with all that it said, when it fails or takes too long. */
export async function run(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const [command = '', ...rest] = argv;
  const { timeoutMs = commandTimeoutMs, input = '' } = options;
  const child = spawn(command, rest, {
    env: { ...process.env, ...options.env },
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  child.stdin.on('error', () => undefined).end(input);
  const [stdout, stderr, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null, string | null]>,
  ]);
  if (code === 0) return stdout;
  const how = signal === null ? `exit ${code}` : `${signal} within ${timeoutMs} ms`;
  throw new Error(`${argv.join(' ')}: ${how}\n${stdout}${stderr}`.trim());
}

/** A daemon of the lab: started, known to be ready, stopped. */
export class Daemon {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #logPath: string;

  private constructor(child: ChildProcess, name: string, logPath: string) {
    this.#child = child;
    this.#name = name;
    this.#logPath = logPath;
  }

  /** Resolves once `ready` returns true; rejects with the end of the log if that takes longer than `timeoutMs`. */
  static async start(start: {
    readonly name: string;
    readonly argv: readonly string[];
    readonly logPath: string;
    readonly ready: () => Promise<boolean>;
    readonly env?: Readonly<Record<string, string>>;
    readonly timeoutMs?: number;
  }): Promise<Daemon> {
    const [command = '', ...rest] = start.argv;
    const log = openSync(start.logPath, 'a');
    const child = spawn(command, rest, { stdio: ['ignore', log, log], env: { ...process.env, ...start.env } });
    closeSync(log);
    const daemon = new Daemon(child, start.name, start.logPath);
    const signal = AbortSignal.timeout(start.timeoutMs ?? 30_000);
    while (!(await start.ready().catch(() => false))) {
      if (daemon.#over || signal.aborted) {
        await daemon[Symbol.asyncDispose]();
        throw new Error(`${start.name} did not start:\n${await daemon.logTail()}`);
      }
      await delay(25);
    }
    return daemon;
  }

  async logTail(): Promise<string> {
    const lines = (await readFile(this.#logPath, 'utf8')).trimEnd().split('\n');
    return lines.slice(-20).join('\n');
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error(`${this.#name} was never started`);
    return pid;
  }

  /** Asks it to end, and makes it end if it does not within ten seconds. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#over) return;
    const closed = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const insist = setTimeout(() => this.#child.kill('SIGKILL'), stopTimeoutMs);
    await closed;
    clearTimeout(insist);
  }

  get #over(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null || this.#child.pid === undefined;
  }
}
