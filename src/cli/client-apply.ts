import { apply } from '../clients/machine/apply.ts';
import { RootedFiles } from '../clients/machine/files.ts';
import { journalDirectory } from '../clients/machine/journal.ts';
import { undo } from '../clients/machine/undo.ts';
import { offeredTo, runtimes } from '../clients/runtimes.ts';
import type { RuntimeName } from '../clients/runtimes.ts';
import type { ClientTarget } from '../clients/target.ts';
import type { Context } from './context.ts';
import { printJson } from './output.ts';
import { CommandFailed } from './trouble.ts';

export interface ApplyOptions {
  readonly root: string;
  readonly json?: true | undefined;
}

export async function applyClient(
  { out }: Context,
  name: RuntimeName,
  target: ClientTarget,
  options: ApplyOptions,
): Promise<void> {
  const { plan } = runtimes[name];
  if (plan === undefined) {
    throw new CommandFailed(
      `${name} has no file on a machine that could be written: what it needs stands where it is started. See entrepot client ${name} --url ${target.url}`,
    );
  }
  if (offeredTo(name, target).some(({ authority }) => authority.pem === undefined)) {
    throw new CommandFailed(
      `The certificate of the server's own CA is needed, and no server answers; start it, and give --url if it is another machine.`,
    );
  }
  const { written, commands, notes } = await apply(
    name,
    (machine) => plan(target, machine),
    new RootedFiles(options.root),
  );
  if (options.json === true) return printJson(out, { written, commands, notes });
  for (const path of written) out.print(`written   ${path}\n`);
  if (written.length === 0) {
    out.print('All of it is there already.\n');
    if (commands.length > 0) out.print('Unless that has been done since it was written:\n');
  } else out.print(`kept      what was there before, in ${journalDirectory(name)}\n`);
  for (const command of commands) out.print(`now run   ${command}\n`);
  out.print(`prove it  entrepot client ${name} --url ${target.url} --verify\n`);
  for (const note of notes) out.note(`${note}\n`);
}

export async function undoClient({ out }: Context, name: RuntimeName, options: ApplyOptions): Promise<void> {
  const { restored, commands } = await undo(name, new RootedFiles(options.root));
  if (options.json === true) return printJson(out, { restored, commands });
  for (const path of restored) out.print(`put back  ${path}\n`);
  for (const command of commands) out.print(`now run   ${command}\n`);
}
