import { InvalidArgumentError } from '@commander-js/extra-typings';
import type { PullLine } from '../admin/views.ts';
import type { Context } from './context.ts';
import type { Program } from './program.ts';
import { pullProgress } from './pull-progress.ts';
import { configOption, connectTo, jsonOption, socketOption } from './server-options.ts';
import { CommandFailed } from './trouble.ts';
import { bytesText } from './units.ts';

export function addPull(program: Program, context: Context): void {
  program
    .command('pull')
    .summary('fetch an image into the cache')
    .description('Makes the running server fetch an image whole, so that clients find it there.')
    .argument('<image>', 'as in docker pull')
    .option(
      '-p, --platform <os/arch>',
      'only this platform, such as linux/amd64; may be repeated (default: all)',
      gathered,
    )
    .option('--verify', 'also read again what is held, and fetch anew what is wrong')
    .addOption(socketOption())
    .addOption(configOption())
    .addOption(jsonOption())
    .action(async (image, options) => {
      const client = await connectTo(context, options);
      const lines = client.lines<PullLine>('/v1/pull', {
        image,
        platform: options.platform,
        verify: options.verify,
      });
      if (options.json === true) return printLines(context, lines, image);
      const progress = pullProgress(context.out, context.clock);
      let done: Done | undefined;
      for await (const line of lines) {
        if (line.type === 'progress') progress.show(line);
        else {
          progress.end();
          done = succeeded(line, image);
        }
      }
      if (done === undefined) throw new CommandFailed('The server did not say how the pull ended; look into its log.');
      assertHeld(done);
      const right = options.verify === true ? ' and is right' : '';
      const fetched =
        done.fetchedBytes === 0 ? `all of it was held${right}` : `${bytesText(done.fetchedBytes)} fetched`;
      const mended = done.damaged === 0 ? '' : `; damaged, put aside and fetched anew: ${done.damaged}`;
      context.out.print(`${done.image} is held: ${done.digest}, ${bytesText(done.bytes)}, ${fetched}${mended}.\n`);
    });
}

function gathered(text: string, before: readonly string[] | undefined): readonly string[] {
  if (!/^[a-z0-9]+\/[a-z0-9_]+(?:\/[a-z0-9.]+)?$/.test(text)) {
    throw new InvalidArgumentError(
      `${JSON.stringify(text)} is not a platform; write one such as linux/amd64 or linux/arm64/v8.`,
    );
  }
  return [...(before ?? []), text];
}

async function printLines({ out }: Context, lines: AsyncIterable<PullLine>, image: string): Promise<void> {
  for await (const line of lines) {
    out.print(`${JSON.stringify(line)}\n`);
    if (line.type !== 'progress') assertHeld(succeeded(line, image));
  }
}

type Ending = Exclude<PullLine, { readonly type: 'progress' }>;
type Done = Extract<Ending, { readonly type: 'done' }>;

function succeeded(line: Ending, image: string): Done {
  if (line.type === 'failed')
    throw new CommandFailed(`${line.message}; see what is known of it with "entrepot explain ${image}".`);
  return line;
}

/** What could be fetched need not have been kept. */
function assertHeld({ image, manifests, blobs, unkept }: Done): void {
  if (unkept.length === 0) return;
  const byReason = Map.groupBy(unkept, ({ reason }) => reason);
  const reasons = [...byReason].map(([reason, parts]) => {
    const bytes = parts.reduce((sum, { size }) => sum + size, 0);
    return `  ${parts.length} (${bytesText(bytes)}): ${reason}`;
  });
  throw new CommandFailed(
    `${image} is not held whole; of its ${manifests + blobs} parts these were fetched and not kept:\n${reasons.join('\n')}`,
  );
}
