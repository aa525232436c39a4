import { existsSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { rootOf } from './environment.ts';
import type { LabEnvironment } from './environment.ts';
import { Daemon, run } from './process.ts';
import type { CommandOptions } from './process.ts';

export type Suite = 'bookworm' | 'sid';

/** A machine with a Debian suite's programs. It sees the lab's work directory, and of all names only `cache.lab`. */
export class Machine {
  readonly suite: Suite;
  readonly #environment: LabEnvironment;
  readonly #etc: string | undefined;
  readonly #setting: Readonly<Record<string, string>>;

  /**
   * @param etc a directory whose files every command finds in /etc
   * @param setting environment variables that every command has
   */
  constructor(environment: LabEnvironment, suite: Suite, etc?: string, setting: Readonly<Record<string, string>> = {}) {
    this.#environment = environment;
    this.#etc = etc;
    this.#setting = setting;
    this.suite = suite;
  }

  /** The same with that directory's files in /etc. */
  with(etc: string): Machine {
    return new Machine(this.#environment, this.suite, etc, this.#setting);
  }

  /** Why a client that needs these programs cannot run here; `undefined` if it can. */
  lacks(programs: readonly string[]): string | undefined {
    const root = rootOf(this.#environment, this.suite);
    const found = (program: string) =>
      ['usr/bin', 'usr/sbin'].some((folder) => existsSync(join(root, folder, program)));
    const missing = programs.filter((program) => !found(program));
    if (missing.length === 0) return undefined;
    return `no ${missing.join(', ')} in the ${this.suite} root. ${this.#installReport()}`.trim();
  }

  async run(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
    return run(this.#enter(argv), { ...options, env: { ...this.#env(), ...options.env } });
  }

  async daemon(start: Parameters<typeof Daemon.start>[0]): Promise<Daemon> {
    return Daemon.start({ ...start, argv: this.#enter(start.argv), env: { ...this.#env(), ...start.env } });
  }

  /** A directory that is the same inside and outside. */
  async directory(name: string): Promise<string> {
    const path = join(this.#environment.work, name);
    await mkdir(path, { recursive: true });
    return path;
  }

  #enter(argv: readonly string[]): readonly string[] {
    return ['bash', join(import.meta.dirname, 'enter.sh'), this.suite, ...argv];
  }

  #env(): Record<string, string> {
    return {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/root',
      PODMAN_IGNORE_CGROUPSV1_WARNING: '1',
      ...this.#setting,
      ...(this.#etc === undefined ? {} : { LAB_ETC: this.#etc }),
    };
  }

  #installReport(): string {
    const report = `${rootOf(this.#environment, this.suite)}.missing`;
    return existsSync(report)
      ? readFileSync(report, 'utf8').trim()
      : 'Run `npm run interop` again with a Debian mirror in reach.';
  }
}
