import { nearest } from '../config/nearest.ts';
import type { Program } from './program.ts';

/** In the place of commander's own, which prints everything where it does not know the command. */
export function addHelp(program: Program): void {
  program
    .helpCommand(false)
    .command('help')
    .description('print the help of a command')
    .argument('[COMMAND]')
    .action((name) => {
      const command = name === undefined ? program : program.commands.find((each) => each.name() === name);
      if (command !== undefined) return command.help();
      const names = program.commands.map((each) => each.name());
      const near = nearest(name ?? '', names);
      const meant = near === undefined ? '' : `\n(Did you mean ${near}?)`;
      return program.error(`error: unknown command '${name}'${meant}`);
    });
}
