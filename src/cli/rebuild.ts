import { loadConfig } from '../config/load.ts';
import type { Event } from '../observe/events.ts';
import { configArgument } from './config-argument.ts';
import type { Context } from './context.ts';
import { printJson } from './output.ts';
import type { Program } from './program.ts';
import { jsonOption } from './server-options.ts';

export function addRebuild(program: Program, context: Context): void {
  program
    .command('rebuild')
    .summary('make a lost or damaged index anew')
    .description(
      'Makes the index anew from the files of the volume, while no server runs on it: everything pushed comes back. What was only cached is fetched again, or used again where it still lies. The index before is kept beside it.',
    )
    .addArgument(configArgument())
    .addOption(jsonOption())
    .action(async (file, options) => {
      const loaded = await loadConfig({ path: file, env: context.env });
      const emit = (event: Event): void => tell(context, event);
      const { before, unread, found } = await context.rebuildIndex(loaded, { emit });
      if (options.json === true) return printJson(context.out, { before, unread, ...found });
      const { repositories, manifests, blobs, dangling, troubles } = found;
      context.out.print(
        `The index was made anew: ${repositories} repositories, ${manifests} manifests, ${blobs} links and blobs.\n`,
      );
      if (dangling > 0)
        context.out.print(`${dangling} links are of content that is not there; they were passed over.\n`);
      if (troubles > 0) context.out.print(`${troubles} things above could not be understood; they were left alone.\n`);
      if (unread !== undefined)
        context.out.note(
          `Nothing was taken over from the index before: ${unread}. Its pins are lost, and what it had not written to the volume.\n`,
        );
      if (before !== undefined) context.out.print(`The index before is ${before}; delete it when all is well.\n`);
    });
}

function tell({ out }: Context, event: Event): void {
  if (event.type === 'adoption.trouble') out.note(`${event.path}: ${event.reason}\n`);
  if (event.type === 'adoption.progress' && event.state !== 'done')
    out.note(
      `${event.state}: ${event.repositories} repositories, ${event.manifests} manifests, ${event.blobs} blobs\n`,
    );
}
