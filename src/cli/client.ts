import { Argument, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { clientConfigText } from '../clients/client-config.ts';
import { isRuntime, runtimes } from '../clients/runtimes.ts';
import { isLoopback } from '../config/value/address.ts';
import { durationOf, pathOf } from './argument-parsers.ts';
import type { Context } from './context.ts';
import { applyClient, undoClient } from './client-apply.ts';
import { findTarget } from './client-server.ts';
import { verifyClient } from './client-verify.ts';
import { printJson } from './output.ts';
import type { Program } from './program.ts';
import { jsonOption, socketOption } from './server-options.ts';
import { CommandFailed } from './trouble.ts';

export function addClient(program: Program, context: Context): void {
  program
    .command('client')
    .summary('set up a client machine to pull through the cache, and prove that it does')
    .description(
      'Prints exactly what to put where on a client machine, with the real address filled in. On that machine itself, --apply writes it, --verify pulls an image that only the cache has, and --undo puts everything back as it was.',
    )
    .addArgument(new Argument('<runtime>', 'what pulls there').choices(Object.keys(runtimes)))
    .option('--url <url>', 'the cache as that machine reaches it, such as http://cache.example:5000', urlOf)
    .option('--apply', 'write it to this machine')
    .addOption(new Option('--undo', 'put back what was there before').conflicts(['apply', 'verify']))
    .addOption(new Option('--verify', 'pull through it, and say by which door that came').conflicts('apply'))
    .option('--fingerprint <sha256>', 'what entrepot ca says of a CA that this machine is to trust')
    .option('--offline', 'ask no server: believe the configuration')
    .addOption(
      new Option('--wait <duration>', 'how long to wait for a pull elsewhere')
        .default(120_000, '2m')
        .argParser(durationOf),
    )
    .option('--root <directory>', 'the root of that machine, where it is not this one', '/')
    .option('--config <file>', "the server's configuration", pathOf)
    .addOption(socketOption())
    .addOption(jsonOption())
    .action(async (name, options) => {
      if (!isRuntime(name)) throw new CommandFailed(`"${name}" is not known.`);
      if (options.undo === true) return await undoClient(context, name, options);
      const found = await findTarget(context, name, options);
      if (options.apply === true) return await applyClient(context, name, found.target, options);
      if (options.verify === true) return await verifyClient(context, name, found, options);
      const made = runtimes[name].config(found.target);
      if (options.json === true) return printJson(context.out, made);
      context.out.print(clientConfigText(made));
      if (isLoopback(new URL(found.target.url).hostname)) {
        context.out.note(
          `\nNo other machine reaches ${found.target.url}: give --url as they know it; for them the cache has to listen on more than this address (http.addr: :5000).\n`,
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
