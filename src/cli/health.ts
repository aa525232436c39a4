import type { HealthView } from '../admin/views.ts';
import type { Context } from './context.ts';
import { printJson } from './output.ts';
import type { Program } from './program.ts';
import { configOption, connectTo, jsonOption, socketOption } from './server-options.ts';
import { CommandFailed } from './trouble.ts';

export function addHealth(program: Program, context: Context): void {
  program
    .command('health')
    .summary('ask whether the running server is ready')
    .description('Asks the running server whether it is ready. Exits with 1, and says why, when it is not: for probes.')
    .addOption(socketOption())
    .addOption(configOption())
    .addOption(jsonOption())
    .action(async (options) => {
      const client = await connectTo(context, options);
      const { problems } = await client.get<HealthView>('/v1/health');
      const found = Object.entries(problems);
      if (options.json === true) printJson(context.out, { ready: found.length === 0, problems });
      else if (found.length === 0) context.out.print('ready\n');
      if (found.length === 0) return;
      const text = found.map(([part, problem]) => `${part}: ${problem}`).join('; ');
      throw new CommandFailed(`The server is not ready: ${text}; look into its log.`);
    });
}
