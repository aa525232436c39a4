import type { HealthView } from '../admin/views.ts';
import type { Context } from './context.ts';
import type { Program } from './program.ts';
import { configOption, connectTo, socketOption } from './server-options.ts';
import { CommandFailed } from './trouble.ts';

export function addHealth(program: Program, context: Context): void {
  program
    .command('health')
    .summary('ask whether the running server is ready')
    .description('Asks the running server whether it is ready. Exits with 1, and says why, when it is not: for probes.')
    .addOption(socketOption())
    .addOption(configOption())
    .action(async (options) => {
      const client = await connectTo(context, options);
      const { problems } = await client.get<HealthView>('/v1/health');
      const found = Object.entries(problems);
      if (found.length === 0) return context.out.print('ready\n');
      const text = found.map(([part, problem]) => `${part}: ${problem}`).join('; ');
      throw new CommandFailed(`The server is not ready: ${text}; look into its log.`);
    });
}
