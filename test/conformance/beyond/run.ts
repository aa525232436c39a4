/**
 * What the conformance runner of the specification's main branch asks beyond the one that go.mod pins, asked by ourselves
 * until the pin can be moved.
 */
import type { Case } from '../cases.ts';
import { blobChecks } from './blobs.ts';
import type { Check } from './blobs.ts';
import { manifestChecks } from './manifests.ts';
import { Wire } from './wire.ts';

export async function runBeyond(origin: string): Promise<readonly Case[]> {
  const cases: Case[] = [];
  for (const check of [...manifestChecks(), ...blobChecks()]) cases.push(await runCheck(check, origin));
  return cases;
}

async function runCheck({ name, run }: Check, origin: string): Promise<Case> {
  const wire = new Wire(origin);
  try {
    await run(wire);
    return { name, outcome: 'passed', reason: '', exchanges: wire.exchanges };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    // What was said last tells most of it.
    return { name, outcome: 'failed', reason, exchanges: wire.exchanges.split('\n\n').slice(-2).join('\n\n') };
  }
}
