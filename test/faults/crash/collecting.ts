/** Collections of a server that is killed now and then, and the time of grace in an instant. */
import { Agent } from 'node:http';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { get } from '../../support/client.ts';
import type { TempDir } from '../../support/temp-dir.ts';
import { becomes } from '../world.ts';

/** More than the grain of what is written down of touches. In milliseconds. */
const longAgo = 10 * 60_000;

export function collectConfig(dir: TempDir): Readonly<Record<string, unknown>> {
  return {
    hosted: { names: ['local/**'] },
    storage: { filesystem: { rootdirectory: dir.join('registry') }, delete: { enabled: true } },
    collect: { grace: '0s', every: 'forever' },
    admin: { socket: socketOf(dir) },
  };
}

/** How much went; undefined while the volume is still being read. */
export async function collect(dir: TempDir): Promise<number | undefined> {
  const agent = new Agent({ socketPath: socketOf(dir) } as object);
  const { body } = await get('http://admin/v1/gc', { method: 'POST', agent });
  const last = JSON.parse(body.toString().trim().split('\n').at(-1) ?? '') as Partial<Gone>;
  return last.blobs === undefined ? undefined : last.blobs + (last.freedBytes ?? 0);
}

/** Until there is nothing more to collect. */
export function collectAll(dir: TempDir): Promise<void> {
  return becomes<number | undefined>(0, () => collect(dir));
}

/** Whatever there is was touched, or found, long ago; straight at the index's file, as nothing of ours would. */
export function age(store: string): void {
  const database = new DatabaseSync(join(store, 'entrepot/index.db'), { timeout: 60_000 });
  database.exec(`UPDATE members SET added_at = added_at - ${longAgo}`);
  database.exec(`UPDATE uploads SET touched_at = touched_at - ${longAgo}`);
  database.exec(`UPDATE contents SET last_used = max(0, last_used - ${longAgo})`);
  database.close();
}

function socketOf(dir: TempDir): string {
  return dir.join('admin.sock');
}

interface Gone {
  readonly blobs: number;
  readonly freedBytes: number;
}
