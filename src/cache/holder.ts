import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { randomBytes } from 'node:crypto';

/**
 * Who holds a lease, said so that another process of the same host can tell whether the holder still lives:
 * `host/boot/namespace/pid/start/nonce`. A process id alone would be believed again after it was reused, and means
 * another process in another container, even in one that shares the name of its host.
 */
export type Holder = string & { readonly __holder: unique symbol };

export function thisProcess(): Holder {
  const nonce = randomBytes(4).toString('hex');
  return `${hostname()}/${bootId()}/${pidNamespace()}/${process.pid}/${startOf(process.pid) ?? '-'}/${nonce}` as Holder;
}

export type Fate =
  /** It lives, or is on another host or in another container, and only its lease can tell. */
  | 'unknown'
  /** It ended on this host, which has not been restarted since: what it wrote is there. */
  | 'ended'
  /** This host was restarted since: what it wrote without syncing may be lost. */
  | 'rebooted';

export function fateOf(holder: string): Fate {
  const [host, boot, namespace, pid, start] = holder.split('/');
  if (host !== hostname() || boot === undefined || boot === '-' || start === '-') return 'unknown';
  if (boot !== bootId()) return 'rebooted';
  if (namespace !== pidNamespace()) return 'unknown';
  return startOf(Number(pid)) === start ? 'unknown' : 'ended';
}

function bootId(): string {
  return readProc('sys/kernel/random/boot_id') ?? '-';
}

/** The number of the namespace that process ids count in (pid_namespaces(7)). */
function pidNamespace(): string {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '-';
  } catch {
    return '-';
  }
}

/** The kernel's start time of a process, in ticks since boot (proc(5), /proc/pid/stat, field 22). */
function startOf(pid: number): string | undefined {
  const stat = readProc(`${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(`/proc/${path}`, 'utf8').trim();
  } catch {
    return undefined;
  }
}
