import { version } from '../observe/version.ts';
import type { Context } from './context.ts';
import { printJson } from './output.ts';
import type { Program } from './program.ts';
import { jsonOption } from './server-options.ts';

export function addVersion(program: Program, context: Context): void {
  program
    .command('version')
    .summary('print the version')
    .description('Prints the version of this program and of what it runs on.')
    .addOption(jsonOption())
    .action((options) => {
      const all = { version, node: process.versions.node, platform: `${process.platform}/${process.arch}` };
      if (options.json === true) printJson(context.out, all);
      else context.out.print(`entrepot ${version} (Node.js ${all.node}, ${all.platform})\n`);
    });
}
