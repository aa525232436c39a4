import type { PurgeView } from '../admin/views.ts';
import type { Context } from './context.ts';
import { printJson } from './output.ts';
import type { Program } from './program.ts';
import { configOption, connectTo, jsonOption, socketOption } from './server-options.ts';
import { bytesText, countText } from './units.ts';

export function addPurge(program: Program, context: Context): void {
  program
    .command('purge')
    .summary('forget an image, and what only it referred to')
    .description(
      'Forgets a tag, a digest, or with --whole a repository. It is fetched again when somebody asks for it.',
    )
    .argument('<image>', 'with its tag or digest, or without for --whole')
    .option('--whole', 'the whole repository')
    .addOption(socketOption())
    .addOption(configOption())
    .addOption(jsonOption())
    .action(async (image, options) => {
      const client = await connectTo(context, options);
      const view = await client.post<PurgeView>('/v1/purge', { image, whole: options.whole });
      if (options.json === true) return printJson(context.out, view);
      if (view.tags + view.manifests + view.blobs === 0) {
        context.out.print(`Nothing is held of ${view.image}.\n`);
        return;
      }
      context.out.print(
        `${view.image}: ${countText(view.tags, 'tag')}, ${countText(view.manifests, 'manifest')} and ${countText(view.blobs, 'blob')} are gone; ${bytesText(view.bytes)} freed.\n`,
      );
    });
}
