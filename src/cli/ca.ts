import { Option } from '@commander-js/extra-typings';
import type { AuthorityView } from '../admin/views.ts';
import { durationOf } from './argument-parsers.ts';
import type { Context } from './context.ts';
import { printJson } from './output.ts';
import type { Output } from './output.ts';
import type { Program } from './program.ts';
import { configOption, connectTo, jsonOption, socketOption } from './server-options.ts';
import { CommandFailed, WrongUsage } from './trouble.ts';
import { durationText } from './units.ts';

export function addCa(program: Program, context: Context): void {
  program
    .command('ca')
    .summary('print the certificate authorities that clients have to trust')
    .description(
      'Prints the certificate authorities of a running server: one for its own names (server), one for the registries that clients reach through it (interception). A renewed one is handed out at once, and signs later: clients trust both by then.',
    )
    .argument('[ca]', 'server or interception')
    .option('--pem', 'print the certificates, to be given to clients')
    .option('--renew', 'make a successor of this one')
    .addOption(
      new Option('--in <duration>', 'when the successor is to sign').default(thirtyDaysMs, '30d').argParser(durationOf),
    )
    .addOption(socketOption())
    .addOption(configOption())
    .addOption(jsonOption())
    .action(async (ca, options) => {
      const client = await connectTo(context, options);
      if (options.renew === true) {
        if (ca === undefined) throw new WrongUsage('Which one? Write: entrepot ca server --renew, or interception.');
        const parameters = { ca, inMs: String(Math.round(options.in)) };
        const made = await client.post<AuthorityView>('/v1/authorities/renew', parameters);
        if (options.json !== true) context.out.note(renewedText(made));
      }
      const all = await client.get<readonly AuthorityView[]>('/v1/authorities');
      const wanted = all.filter(({ kind }) => ca === undefined || kind === ca);
      if (wanted.length === 0) throw noneOf(ca);
      if (options.json === true) printJson(context.out, wanted);
      else if (options.pem === true) context.out.print(wanted.map(({ pem }) => pem).join(''));
      else print(context.out, wanted, context.clock.now());
    });
}

const thirtyDaysMs = 30 * 86_400_000;

function noneOf(ca: string | undefined): CommandFailed {
  if (ca !== undefined && ca !== 'server' && ca !== 'interception')
    return new WrongUsage(`There is no CA called ${JSON.stringify(ca)}; write server or interception.`);
  const which = ca === undefined ? 'certificate authority' : `${ca} CA`;
  return new CommandFailed(
    `The server has no ${which} of its own; http.tls.auto makes one for its names, intercept one for interception.`,
  );
}

function renewedText({ kind, signsFromMs }: AuthorityView): string {
  return `The successor of the ${kind} CA signs from ${dayOf(signsFromMs ?? 0)} on: give it to all clients by then (entrepot ca ${kind} --pem).\n`;
}

function print(out: Output, all: readonly AuthorityView[], nowMs: number): void {
  for (const { kind, fingerprint, validToMs, ...view } of all) {
    out.print(`${kind} CA, ${purposes[kind]}\n`);
    out.print(`  SHA-256   ${fingerprint}\n`);
    out.print(`  valid     until ${dayOf(validToMs)} (${durationText(Math.max(0, validToMs - nowMs))})\n`);
    out.print(`  signs     ${signsText(view, nowMs)}\n`);
  }
}

const purposes: Readonly<Record<AuthorityView['kind'], string>> = {
  server: "for this server's own names and addresses",
  interception: 'for the registries that clients reach through this server',
};

function signsText({ signs, signsFromMs }: Pick<AuthorityView, 'signs' | 'signsFromMs'>, nowMs: number): string {
  if (signs) return 'now';
  return (signsFromMs ?? 0) > nowMs ? `from ${dayOf(signsFromMs ?? 0)} on` : 'no more; clients may still know no other';
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
