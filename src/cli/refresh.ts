import type { RefreshView } from '../admin/views.ts';
import type { Context } from './context.ts';
import { printJson } from './output.ts';
import type { Program } from './program.ts';
import { configOption, connectTo, jsonOption, socketOption } from './server-options.ts';
import { CommandFailed } from './trouble.ts';

export function addRefresh(program: Program, context: Context): void {
  program
    .command('refresh')
    .summary('ask the upstream now where a tag points')
    .description('Asks the upstream now where a tag points, however fresh it is.')
    .argument('<image>', 'an image with its tag')
    .addOption(socketOption())
    .addOption(configOption())
    .addOption(jsonOption())
    .action(async (image, options) => {
      const client = await connectTo(context, options);
      const view = await client.post<RefreshView>('/v1/refresh', { image });
      if (options.json === true) printJson(context.out, view);
      if (!view.found)
        throw new CommandFailed(`${view.image} is not known upstream, and nothing is held; check its name.`);
      if (view.outcome === 'stale') {
        throw new CommandFailed(
          `The upstream could not be asked; what is held stays: ${view.digest}. See why with "entrepot explain ${image}".`,
        );
      }
      if (options.json !== true) context.out.print(`${view.image} is ${view.digest}.\n`);
    });
}
