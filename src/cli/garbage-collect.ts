import type { CollectLine } from '../admin/views.ts';
import { loadConfig } from '../config/load.ts';
import type { Loaded } from '../config/load.ts';
import { adminClient, ServerAway } from './admin-client.ts';
import { configArgument } from './config-argument.ts';
import type { Context } from './context.ts';
import { endOf, sentences } from './gc.ts';
import type { Program } from './program.ts';

export function addGarbageCollect(program: Program, context: Context): void {
  program
    .command('garbage-collect')
    .summary('the same, spelled as registry has it; also where no server runs')
    .description(
      'Deletes blobs that no manifest refers to. While a server with this configuration runs, it is asked to, and keeps to its time of grace (collect.grace); otherwise the volume is collected here, without any. No server has to be stopped for it.',
    )
    .addArgument(configArgument())
    .option('-d, --dry-run', 'do everything except deleting')
    .option('-m, --delete-untagged', 'also manifests that no tag, no index and no subject leads to')
    .option('-q, --quiet', 'print nothing but errors')
    .action(async (file, options) => {
      const loaded = await loadConfig({ path: file, env: context.env });
      const request = { dryRun: options.dryRun === true, untagged: options.deleteUntagged === true };
      const say = (text: string): void => (options.quiet === true ? undefined : context.out.print(text));
      const done = await endOf(linesOf(context, loaded, request), ({ blobs }) => {
        for (const { digest } of blobs) say(`blob eligible for deletion: ${digest}\n`);
      });
      say(sentences(done));
    });
}

/** registry's flags may bring their value along, as in `--delete-untagged=true`. */
export function asOurFlags(args: readonly string[]): string[] {
  if (args[0] !== 'garbage-collect') return [...args];
  return args.flatMap((arg) => {
    const [, flag = arg, value] = /^(--?[a-z-]+)=(true|false|1|0|t|f)$/i.exec(arg) ?? [];
    return value === undefined || /^[t1]/i.test(value) ? [flag] : [];
  });
}

export interface CollectRequest {
  readonly dryRun: boolean;
  readonly untagged: boolean;
}

async function* linesOf(context: Context, loaded: Loaded, request: CollectRequest): AsyncGenerator<CollectLine> {
  const { socket } = loaded.config.admin;
  try {
    const parameters = { dryrun: request.dryRun, untagged: request.untagged };
    if (socket !== undefined) return yield* adminClient(socket).lines<CollectLine>('/v1/gc', parameters);
  } catch (error) {
    if (!(error instanceof ServerAway)) throw error;
  }
  yield* context.collectStopped(loaded, request);
}
