/**
 * What a server costs, read from /proc: the whole process group, so that workers count whoever started them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long a server has to take no more than a part of a processor to be at rest, and how often it is looked at. */
const restMs = 1_000;
const lookMs = 250;
const restShare = 0.1;
/** In milliseconds. */
const restMsMax = 60_000;

/** The kernel tells user space about CPU time in hundredths of a second, on every architecture. */
const TICKS_PER_SECOND = 100;

export class ProcessGroup {
  readonly id: number;

  constructor(id: number) {
    this.id = id;
  }

  /** User and system time of all its processes and threads, and of those that have ended and were waited for. */
  cpuSeconds(): number {
    const ticks = this.#members().map(({ fields }) =>
      fields.slice(11, 15).reduce((sum, each) => sum + Number(each), 0),
    );
    return ticks.reduce((sum, each) => sum + each, 0) / TICKS_PER_SECOND;
  }

  /** Memory that no file backs: heaps, stacks, buffers. The page cache is not in it. */
  anonymousBytes(): number {
    return this.#members().reduce((sum, { pid }) => sum + anonymousBytes(pid), 0);
  }

  /** Resolves when it takes hardly any processor time, and has for a while. */
  async rest(): Promise<void> {
    const until = performance.now() + restMsMax;
    for (let quietMs = 0, before = this.cpuSeconds(); quietMs < restMs && performance.now() < until;) {
      await sleep(lookMs);
      const now = this.cpuSeconds();
      quietMs = now - before <= restShare * (lookMs / 1000) ? quietMs + lookMs : 0;
      before = now;
    }
  }

  #members(): { readonly pid: string; readonly fields: readonly string[] }[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => ({ pid, fields: statFields(pid) }))
      .filter(({ fields }) => Number(fields[2]) === this.id);
  }
}

/** proc(5): what follows the command's name, which may itself hold spaces and parentheses. Empty for a process that is gone. */
function statFields(pid: string): string[] {
  const stat = readProc(pid, 'stat');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function anonymousBytes(pid: string): number {
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(readProc(pid, 'status'))?.[1] ?? 0) * 1024;
}

function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
