import { CommanderError } from '@commander-js/extra-typings';
import type { Context } from './context.ts';
import { asOurFlags } from './garbage-collect.ts';
import { harmless } from './output.ts';
import { createProgram } from './program.ts';
import { troubleText, WrongUsage } from './trouble.ts';

/** Runs one command. Resolves to the exit code: 0 done, 1 failed, 2 wrong usage. */
export async function runCli(args: readonly string[], context: Context): Promise<number> {
  try {
    await createProgram(context).parseAsync(asOurFlags(args), { from: 'user' });
    return 0;
  } catch (error) {
    // Commander has printed what it had to say: help with 0, anything else is wrong usage.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    context.out.note(`${harmless(troubleText(error))}\n`);
    if (context.env['ENTREPOT_DEBUG'] !== undefined && error instanceof Error) context.out.note(`${error.stack}\n`);
    return error instanceof WrongUsage ? 2 : 1;
  }
}
