import type { CollectLine } from '../admin/views.ts';
import type { Context } from './context.ts';
import { printJson } from './output.ts';
import type { Program } from './program.ts';
import { configOption, connectTo, jsonOption, socketOption } from './server-options.ts';
import { CommandFailed } from './trouble.ts';
import { bytesText } from './units.ts';

export function addGc(program: Program, context: Context): void {
  program
    .command('gc')
    .summary('delete what no manifest refers to any more')
    .description(
      'Makes the running server collect now what it collects by itself every so often: blobs of hosted repositories that no manifest refers to, once nobody has touched them for the time of grace (collect.grace), and untagged manifests where collect.untagged says so.',
    )
    .option('--dry-run', 'say what would go and how much that would free, and do nothing')
    .addOption(socketOption())
    .addOption(configOption())
    .addOption(jsonOption())
    .action(async (options) => {
      const client = await connectTo(context, options);
      const lines = client.lines<CollectLine>('/v1/gc', { dryrun: options.dryRun });
      const done = await endOf(lines, () => {});
      if (options.json === true) printJson(context.out, done);
      else context.out.print(sentences(done));
    });
}

export type CollectDone = Extract<CollectLine, { readonly type: 'done' }>;
export type Collected = Extract<CollectLine, { readonly type: 'collected' }>;

/** @throws CommandFailed when it did not end well */
export async function endOf(lines: AsyncIterable<CollectLine>, see: (line: Collected) => void): Promise<CollectDone> {
  for await (const line of lines) {
    if (line.type === 'done') return line;
    if (line.type === 'failed') throw new CommandFailed(line.message);
    see(line);
  }
  throw new CommandFailed('The server did not say how the collection ended; look into its log.');
}

export function sentences({ dryRun, manifests, blobs, freedBytes, waiting }: CollectDone): string {
  const what = dryRun
    ? `${manifests} untagged manifests and ${blobs} blobs would go, which would free ${bytesText(freedBytes)}.`
    : `${manifests} untagged manifests and ${blobs} blobs are gone; ${bytesText(freedBytes)} freed.`;
  const later = waiting === 0 ? '' : ` ${waiting} more that nothing refers to are too young to go (collect.grace).`;
  return `${what}${later}\n`;
}
