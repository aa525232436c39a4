import { Command } from '@commander-js/extra-typings';
import { version } from '../observe/version.ts';
import { addCa } from './ca.ts';
import { addCheck } from './check.ts';
import { addClient } from './client.ts';
import { addConfig } from './config.ts';
import type { Context } from './context.ts';
import { addDu } from './du.ts';
import { addExplain } from './explain.ts';
import { addGarbageCollect } from './garbage-collect.ts';
import { addGc } from './gc.ts';
import { addHelp } from './help.ts';
import { addHtpasswd } from './htpasswd.ts';
import { addLs } from './ls.ts';
import { addHealth } from './health.ts';
import { addPin } from './pin.ts';
import { addPull } from './pull.ts';
import { addPurge } from './purge.ts';
import { addRebuild } from './rebuild.ts';
import { addRefresh } from './refresh.ts';
import { addServe } from './serve.ts';
import { addUnpin } from './unpin.ts';
import { addVersion } from './version.ts';

export type Program = Command;

export function createProgram(context: Context): Program {
  const program = new Command('entrepot')
    .description(
      'One server between your machines and every container registry: it caches what they pull and hosts what they push.',
    )
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .showHelpAfterError('Run "entrepot --help" or "entrepot COMMAND --help" to see what there is.')
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false })
    .configureOutput({
      writeOut: (text) => context.out.print(text),
      writeErr: (text) => context.out.note(text),
      getOutHelpWidth: () => helpColumns,
      getErrHelpWidth: () => helpColumns,
    })
    .exitOverride();
  for (const add of [addServe, addCheck, addConfig, addClient, addCa, addHealth]) add(program, context);
  for (const add of [addLs, addDu, addExplain, addPull, addPin, addUnpin, addRefresh, addPurge]) add(program, context);
  for (const add of [addGc, addGarbageCollect, addRebuild, addHtpasswd, addVersion]) add(program, context);
  addHelp(program);
  return program;
}

/** Fixed, so that help reads the same everywhere. */
const helpColumns = 100;
