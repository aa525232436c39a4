/** What a server shares with the next one, and with the one beside it. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Entrepot } from '../support/entrepot.ts';
import type { EntrepotOptions } from '../support/entrepot.ts';
import type { FakeClock } from '../support/fake-clock.ts';
import { TempDir } from '../support/temp-dir.ts';
import type { World } from './world.ts';

/** Another server over the same store and index, with a socket of its own. */
export function beside({ entrepot, upstream }: World, clock?: FakeClock): Promise<Entrepot> {
  return startBeside(entrepot, { upstreams: { 'docker.io': upstream }, ...(clock && { clock }) });
}

export async function startBeside(first: Entrepot, options: EntrepotOptions): Promise<Entrepot> {
  const dir = await TempDir.make();
  const entrepot = await Entrepot.start({
    ...options,
    directory: dir.path,
    config: {
      ...options.config,
      storage: { filesystem: { rootdirectory: first.storeDirectory } },
      admin: { socket: dir.join('admin.sock') },
    },
  });
  const stop = entrepot[Symbol.asyncDispose].bind(entrepot);
  return Object.assign(entrepot, {
    [Symbol.asyncDispose]: async () => {
      await stop();
      await dir[Symbol.asyncDispose]();
    },
  });
}

/** Stops the server in good order when so many bytes have arrived. */
export async function stopAt(world: World, bytes: number): Promise<void> {
  world.upstream.gate({ path: '/blobs/', times: 1 }, { at: bytes });
  using client = await world.open();
  await client.read(bytes);
  await world.entrepot.stop();
  await assert.rejects(client.rest());
}

/** Straight at the index's file, as nothing of ours would. */
export function sql({ entrepot }: World, statement: string): unknown[] {
  const database = new DatabaseSync(join(entrepot.storeDirectory, 'entrepot/index.db'), { timeout: 60_000 });
  const rows = database.prepare(statement).all();
  database.close();
  return rows.map((row) => ({ ...row }));
}
