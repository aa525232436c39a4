import type { PinView } from '../admin/views.ts';
import type { Context } from './context.ts';
import { printJson } from './output.ts';
import type { Program } from './program.ts';
import { configOption, connectTo, jsonOption, socketOption } from './server-options.ts';
import { CommandFailed } from './trouble.ts';

export function addUnpin(program: Program, context: Context): void {
  program
    .command('unpin')
    .summary('take a pin away')
    .description('Takes a pin away that was made with "entrepot pin". Nothing is deleted by this.')
    .argument('<image>', 'as it was pinned')
    .addOption(socketOption())
    .addOption(configOption())
    .addOption(jsonOption())
    .action(async (image, options) => {
      const client = await connectTo(context, options);
      const done = await client.post<PinView>('/v1/unpin', { image });
      if (options.json === true) printJson(context.out, done);
      if (!done.changed) throw new CommandFailed(`${done.pattern} was not pinned; see the pins with "entrepot pin".`);
      if (options.json !== true) context.out.print(`${done.pattern} is not pinned any more.\n`);
    });
}
