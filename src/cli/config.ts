import { explain } from '../config/explain.ts';
import { configJsonSchema } from '../config/json-schema.ts';
import { loadConfig } from '../config/load.ts';
import { configArgument } from './config-argument.ts';
import type { Context } from './context.ts';
import { printJson } from './output.ts';
import type { Program } from './program.ts';
import { jsonOption } from './server-options.ts';
import { printTable } from './table.ts';

export function addConfig(program: Program, context: Context): void {
  program
    .command('config')
    .summary('print every setting, its value, and where that comes from')
    .description('Prints every key that counts with its value and where that comes from. Secrets are shown as ***.')
    .addArgument(configArgument())
    .option('--schema', 'print the JSON Schema of the file instead, for editors')
    .addOption(jsonOption())
    .action(async (file, options) => {
      if (options.schema === true) return printJson(context.out, configJsonSchema());
      const loaded = await loadConfig({ path: file, env: context.env });
      const rows = explain(loaded);
      if (options.json === true) return printJson(context.out, rows);
      printTable(
        context.out,
        [
          { title: 'KEY', of: ({ key }) => key },
          { title: 'VALUE', of: ({ value }) => value, elastic: true },
          { title: 'FROM', of: ({ origin }) => origin },
        ],
        rows,
      );
      for (const notice of loaded.notices) context.out.note(`Note: ${notice}\n`);
    });
}
