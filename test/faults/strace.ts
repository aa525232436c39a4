/** What a process asks of the kernel, in the order in which it was done. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';

const traced = 'fdatasync,fsync,rename,renameat,renameat2,write,writev,sendto,sendmsg';

/** `await using tracing = await Tracing.of(server.pid, dir.join('trace'));` */
export class Tracing implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #file: string;

  private constructor(child: ChildProcess, file: string) {
    this.#child = child;
    this.#file = file;
  }

  /** `undefined` where there is no strace, or it may not look into processes. */
  static async of(pid: number, file: string): Promise<Tracing | undefined> {
    const args = ['-f', '-y', '-s', '64', '-e', `trace=${traced}`, '-o', file, '-p', String(pid)];
    const child = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const attached = new Promise<boolean>((resolve) => {
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        if (/Process \d+ attached/.test(text)) resolve(true);
      });
      child.once('error', () => resolve(false)).once('exit', () => resolve(false));
    });
    return (await attached) ? new Tracing(child, file) : undefined;
  }

  /** Ends it. Calls, each with its result, in the order in which they ended; those on sockets in that in which they began. */
  async calls(): Promise<readonly string[]> {
    await this[Symbol.asyncDispose]();
    const begun = new Map<string, string>();
    const calls: string[] = [];
    for (const line of (await readFile(this.#file, 'utf8')).split('\n')) {
      const [, thread = '', call = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
      const [, start] = /^(.*) <unfinished \.\.\.>$/.exec(call) ?? [];
      const [, end] = /^<\.\.\. \w+ resumed>(.*)$/.exec(call) ?? [];
      if (start !== undefined && isAnswer(start)) calls.push(start);
      else if (start !== undefined) begun.set(thread, start);
      else if (end !== undefined) calls.push(`${begun.get(thread) ?? ''}${end}`);
      else calls.push(call);
    }
    return calls;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGINT');
    await once(this.#child, 'exit');
  }
}

export function isAnswer(call: string): boolean {
  return /^\w+\(\d+<(?:socket|TCP)/.test(call);
}
