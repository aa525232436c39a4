import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConfiguredMachine } from '../lab/configured-machine.ts';

/** Where a runtime keeps what it holds, with nothing in it. */
export async function emptied(machine: ConfiguredMachine): Promise<string> {
  const data = join(machine.directory, 'data');
  await rm(data, { recursive: true, force: true });
  await mkdir(data);
  return data;
}
