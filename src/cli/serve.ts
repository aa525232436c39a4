import { loadConfig } from '../config/load.ts';
import type { Loaded } from '../config/load.ts';
import { createLog } from '../observe/log.ts';
import type { Log } from '../observe/log.ts';
import { bannerText } from './banner.ts';
import { configArgument } from './config-argument.ts';
import type { Context, RunningServer } from './context.ts';
import type { Program } from './program.ts';

export function addServe(program: Program, context: Context): void {
  program
    .command('serve')
    .summary('run the server')
    .description('Runs the server until it is told to stop (SIGTERM, SIGINT). SIGHUP reads the configuration again.')
    .addArgument(configArgument())
    .option('-q, --quiet', 'no banner')
    .action(async (file, options) => {
      const loaded = await loadConfig({ path: file, env: context.env });
      const log = createLog({ ...loaded.config.log, clock: context.clock });
      const lastWords = (): void => log.flushSync();
      process.once('exit', lastWords);
      try {
        await serve(context, loaded, log, options.quiet === true);
      } finally {
        await log.flush();
        process.off('exit', lastWords);
      }
    });
}

async function serve(context: Context, loaded: Loaded, log: Log, quiet: boolean): Promise<void> {
  const started = Promise.withResolvers<RunningServer>();
  // Before anything listens: whoever sees the port open may send a signal. A failed reload is told in the log by the
  // server; the service goes on with what it had.
  const stopped = context.untilStopped(() => void started.promise.then((server) => server.reload?.()).catch(() => {}));
  const server = await context.startServer({ loaded, log });
  started.resolve(server);
  const machineReads = loaded.config.log.formatter !== 'text';
  if (machineReads) {
    for (const message of loaded.notices) log.emit({ type: 'config.notice', message });
  } else if (!quiet) {
    context.out.note(bannerText(loaded, server.addresses, server.adminSocket));
  }
  await server.stop(await stopped);
}
