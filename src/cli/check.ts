import { loadConfig } from '../config/load.ts';
import { checkLocal } from './check-local.ts';
import { checkRoutes } from './check-routes.ts';
import { checkUpstreams } from './check-upstreams.ts';
import { configArgument } from './config-argument.ts';
import type { Context } from './context.ts';
import { printJson } from './output.ts';
import type { Program } from './program.ts';
import { jsonOption } from './server-options.ts';
import { printTable } from './table.ts';
import { CommandFailed } from './trouble.ts';

/** One thing that was looked at. */
export interface Finding {
  readonly what: string;
  readonly ok: boolean;
  /** What was found; when not `ok`, ends with what to do. */
  readonly text: string;
}

export function addCheck(program: Program, context: Context): void {
  program
    .command('check')
    .summary('try everything that the configuration names')
    .description(
      'Reads the configuration, contacts every upstream that it names, and its mirrors (a ping and the token flow), and looks at the store, the index, the certificates, the ports, and for patterns that can never match. Exits with 1 if anything is wrong.',
    )
    .addArgument(configArgument())
    .option('-a, --all', 'also the public registries that are known without configuration')
    .option('--no-upstreams', 'contact nobody')
    .addOption(jsonOption())
    .action(async (file, options) => {
      const loaded = await loadConfig({ path: file, env: context.env });
      const { config } = loaded;
      const origin = config.file ?? 'the defaults and the environment';
      const findings: Finding[] = [
        { what: 'configuration', ok: true, text: `${origin}; ${loaded.notices.length} notes` },
        ...checkRoutes(config),
        ...(await checkLocal(config, context)),
        ...(options.upstreams ? await checkUpstreams(context, config, options.all === true) : []),
      ];
      const wrong = findings.filter(({ ok }) => !ok).length;
      if (options.json === true) printJson(context.out, { ok: wrong === 0, findings, notices: loaded.notices });
      else printFindings(context, findings, loaded.notices);
      if (wrong > 0)
        throw new CommandFailed(`${wrong} of ${findings.length} checks failed; see what to do for each above.`);
    });
}

function printFindings({ out }: Context, findings: readonly Finding[], notices: readonly string[]): void {
  printTable(
    out,
    [
      { title: 'CHECK', of: ({ what }) => what },
      { title: '', of: ({ ok }) => (ok ? 'ok' : 'WRONG') },
      { title: 'FOUND', of: ({ text }) => text },
    ],
    findings,
  );
  for (const notice of notices) out.note(`Note: ${notice}\n`);
}
