import { chmod, lstat, mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { rootOf } from './environment.ts';
import type { LabEnvironment } from './environment.ts';
import { Machine } from './machine.ts';
import type { Suite } from './machine.ts';
import { run } from './process.ts';

const entrepot = [process.execPath, join(import.meta.dirname, '../../../src/main.ts')] as const;

/** What is configured on it, of all that Debian's packages bring. */
const configured = ['docker', 'containerd', 'containers'] as const;

/**
 * A machine that `entrepot client` sets up. Its /etc is a directory of its own, made of what Debian's packages have there;
 * `programs` are found by the command as if they were on it.
 */
export class ConfiguredMachine {
  readonly suite: Suite;
  readonly machine: Machine;
  readonly directory: string;
  readonly root: string;

  private constructor(suite: Suite, machine: Machine, directory: string) {
    this.suite = suite;
    this.machine = machine;
    this.directory = directory;
    this.root = join(directory, 'root');
  }

  static async make(environment: LabEnvironment, suite: Suite, name: string): Promise<ConfiguredMachine> {
    const machine = new Machine(environment, suite);
    const made = new ConfiguredMachine(suite, machine, await machine.directory(`configured/${name}`));
    await mkdir(join(made.root, 'etc'), { recursive: true });
    await mkdir(made.#bin);
    for (const folder of configured) {
      const from = join(rootOf(environment, suite), 'etc', folder);
      if (existsSync(from)) await run(['cp', '-a', from, join(made.root, 'etc')]);
    }
    return made;
  }

  /** As PATH finds it: run on the machine, which sees this directory, too, but means its own program; or by a command of this one. */
  async program(name: string, argv: readonly string[]): Promise<void> {
    const words = argv.map((word) => `'${word}'`).join(' ');
    await writeFile(
      join(this.#bin, name),
      `#!/bin/bash\nexport LAB_ETC='${this.etc}' HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nexec ${words} "$@"\n`,
    );
    await chmod(join(this.#bin, name), 0o755);
  }

  /** For `program`. */
  entered(argv: readonly string[]): readonly string[] {
    return ['bash', join(import.meta.dirname, 'enter.sh'), this.suite, ...argv];
  }

  get etc(): string {
    return join(this.root, 'etc');
  }

  /** Runs `entrepot client` for this machine. */
  async client(...args: readonly string[]): Promise<string> {
    return await run([...entrepot, 'client', ...args, '--root', this.root], {
      env: { PATH: `${this.#bin}:${process.env['PATH']}` },
    });
  }

  /** Everything below its root, with owners and rights; files with their time and content, links with their target. */
  async state(): Promise<readonly string[]> {
    const names = await readdir(this.root, { recursive: true });
    const lines = names.map(async (name) => {
      const path = join(this.root, name);
      const found = await lstat(path);
      const rights = `${name} ${found.mode.toString(8)} ${found.uid}:${found.gid}`;
      if (found.isSymbolicLink()) return `${rights} ${await readlink(path)}`;
      if (!found.isFile()) return rights;
      const content = createHash('sha256').update(await readFile(path));
      // To the second: a microsecond of a time may be lost when it is put back.
      return `${rights} ${Math.floor(found.mtimeMs / 1000)} ${content.digest('hex')}`;
    });
    return (await Promise.all(lines)).toSorted();
  }

  get #bin(): string {
    return join(this.directory, 'bin');
  }
}
