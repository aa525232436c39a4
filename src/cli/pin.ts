import type { PinsView, PinView } from '../admin/views.ts';
import { globOf } from './argument-parsers.ts';
import type { Context } from './context.ts';
import { harmless, printJson } from './output.ts';
import type { Program } from './program.ts';
import { configOption, connectTo, jsonOption, socketOption } from './server-options.ts';
import { printTable } from './table.ts';

export function addPin(program: Program, context: Context): void {
  program
    .command('pin')
    .summary('keep an image for good; without one, list the pins')
    .description('Keeps images from being evicted, those that are held and those that come later.')
    .argument('[image]', 'an image, a repository, or a pattern: redis:7, "redis:7*", "docker.io/library/*:*"', globOf)
    .addOption(socketOption())
    .addOption(configOption())
    .addOption(jsonOption())
    .action(async (image, options) => {
      const client = await connectTo(context, options);
      if (image === undefined) return printPins(context, await client.get<PinsView>('/v1/pins'), options.json === true);
      const done = await client.post<PinView>('/v1/pin', { image });
      if (options.json === true) printJson(context.out, done);
      else context.out.print(`${harmless(done.pattern)} is pinned${done.changed ? '' : ' already'}.\n`);
    });
}

function printPins({ out }: Context, view: PinsView, json: boolean): void {
  if (json) return printJson(out, view.pins);
  printTable(
    out,
    [
      { title: 'PIN', of: ({ pattern }) => pattern },
      { title: 'FROM', of: ({ from }) => (from === 'operator' ? 'entrepot pin' : 'cache.pins') },
    ],
    view.pins,
  );
}
