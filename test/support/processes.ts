/**
 * The server as a process of its own, for tests that kill it, restart it, or read what it prints.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, listening } from './ports.ts';
import { Waiters } from './waiters.ts';

export interface ServerOptions {
  /** Holds the configuration file and, unless `config` says otherwise, the store. A restart gives the same one. */
  readonly directory: string;
  /** What the configuration file says; `http.addr` and `storage.filesystem.rootdirectory` are added where they are missing. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Default: a free one. A restart gives the old one. */
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Default src/main.ts. */
  readonly main?: string;
  /** Another server that understands `serve FILE`, in place of `main`: its program. */
  readonly program?: string;
  /** How long it may take until the port accepts. Default 60,000. */
  readonly startMsMax?: number;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const LOG_CHARACTERS_MAX = 4_000_000;
const STOP_MS_MAX = 60_000;

/** `await using server = await ServerProcess.start({ directory: dir.path });` */
export class ServerProcess implements AsyncDisposable {
  readonly port: number;
  /** Resolves when the process has ended. */
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #waiters = new Waiters();
  #logs = '';

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
    const killWithUs = (): void => void child.kill('SIGKILL');
    process.once('exit', killWithUs);
    this.exited = once(child, 'close').then(([code, signal]: (number | string | null)[]) => {
      process.off('exit', killWithUs);
      this.#waiters.look();
      return { code: code as number | null, signal: signal as NodeJS.Signals | null };
    });
    for (const output of [child.stdout, child.stderr])
      output?.setEncoding('utf8').on('data', (text: string) => this.#record(text));
  }

  /** Starts it, and resolves when its port accepts connections. Rejects with its logs if it exits or takes too long. */
  static async start(options: ServerOptions): Promise<ServerProcess> {
    const port = options.port ?? (await freePort());
    const main = options.main ?? fileURLToPath(new URL('../../src/main.ts', import.meta.url));
    const [program, before] = options.program === undefined ? [process.execPath, [main]] : [options.program, []];
    const file = await writeConfig(options, port);
    const child = spawn(program, [...before, 'serve', file], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_TEST_CONTEXT: undefined, ...options.env },
    });
    const server = new ServerProcess(child, port);
    await server.#started(options.startMsMax ?? 60_000);
    return server;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** What it has printed so far, on both streams; of a very long text the end. */
  get logs(): string {
    return this.#logs;
  }

  /** The log lines that are JSON objects. */
  events(): Record<string, unknown>[] {
    const lines = this.#logs.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Resolves when it has printed this; rejects if it ends without. */
  async printed(what: string | RegExp): Promise<void> {
    const said = (): boolean => (typeof what === 'string' ? this.#logs.includes(what) : what.test(this.#logs));
    await this.#waiters.until(() => said() || this.#ended);
    if (!said()) throw new Error(`the server ended and never printed ${String(what)}:\n${this.#logs}`);
  }

  /** Asks it to end (SIGTERM), as a service manager does, and waits until it has. */
  async stop(): Promise<Exit> {
    this.#child.kill('SIGTERM');
    return this.exited;
  }

  /** Ends it between two instructions (SIGKILL). */
  async kill(): Promise<Exit> {
    this.#child.kill('SIGKILL');
    return this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    const impatience = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS_MAX);
    await this.stop();
    clearTimeout(impatience);
  }

  get #ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  #record(text: string): void {
    this.#logs = (this.#logs + text).slice(-LOG_CHARACTERS_MAX);
    this.#waiters.look();
  }

  async #started(msMax: number): Promise<void> {
    const giveUp = new AbortController();
    const timer = setTimeout(() => giveUp.abort(), msMax);
    const outcome = await Promise.race([
      listening(this.port, giveUp.signal).then(
        () => 'listening',
        () => `took more than ${msMax} ms to listen`,
      ),
      this.exited.then(({ code, signal }) => `ended (${code ?? signal}) before it listened`),
    ]);
    clearTimeout(timer);
    giveUp.abort();
    if (outcome === 'listening') return;
    await this.kill();
    throw new Error(`the server ${outcome}:\n${this.#logs}`);
  }
}

/** JSON is YAML. */
async function writeConfig({ directory, config = {} }: ServerOptions, port: number): Promise<string> {
  const file = join(directory, 'entrepot.yml');
  const { http = {}, storage } = config;
  const content = {
    version: 0.1,
    ...config,
    http: { addr: `127.0.0.1:${port}`, ...(http as object) },
    storage: storage ?? { filesystem: { rootdirectory: join(directory, 'registry') } },
  };
  await mkdir(directory, { recursive: true });
  await writeFile(file, JSON.stringify(content, undefined, 2));
  return file;
}
