import { Argument, InvalidArgumentError } from '@commander-js/extra-typings';
import { clientConfigText } from '../clients/client-config.ts';
import { isRuntime, runtimes } from '../clients/runtimes.ts';
import { loadConfig } from '../config/load.ts';
import { clientTarget } from './client-target.ts';
import type { Context } from './context.ts';
import { printJson } from './output.ts';
import type { Program } from './program.ts';
import { jsonOption } from './server-options.ts';
import { CommandFailed } from './trouble.ts';

export function addClient(program: Program, context: Context): void {
  program
    .command('client')
    .summary('print what a client machine needs to pull through the cache')
    .description('Prints exactly what to put where on a client machine, with the real address filled in.')
    .addArgument(new Argument('<runtime>', 'what pulls there').choices(Object.keys(runtimes)))
    .option('--url <url>', 'the cache as that machine reaches it, such as http://cache.example:5000', urlOf)
    .option('--config <file>', "the server's configuration")
    .addOption(jsonOption())
    .action(async (runtime, options) => {
      const { config } = await loadConfig({ path: options.config, env: context.env });
      if (!isRuntime(runtime)) throw new CommandFailed(`"${runtime}" is not known.`);
      const target = clientTarget(config, options.url);
      const made = runtimes[runtime](target);
      if (options.json === true) return printJson(context.out, made);
      context.out.print(clientConfigText(made));
      if (/^https?:\/\/(127\.|\[::1\]|localhost)/.test(target.url)) {
        context.out.note(
          `\nThe cache listens on ${target.url} only, which no other machine reaches; set http.addr to :5000, or give --url.\n`,
        );
      }
    });
}

function urlOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const fits = url !== undefined && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.username === '';
  if (!fits)
    throw new InvalidArgumentError(`It is not the URL of a cache; write http://HOST:PORT or https://HOST:PORT.`);
  return url.origin;
}
