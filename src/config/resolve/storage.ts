import { join } from 'node:path';
import type { AdminConfig, IndexConfig, ListenAddress, Mode, StorageConfig } from '../config.ts';
import { storageDriversNot } from '../schema/storage.ts';
import type { FileConfig } from '../schema/schema.ts';
import { treeAt } from '../tree/tree.ts';
import { socketPathBytesMax, type Machine, type Resolving } from './resolving.ts';

/** One driver; without any, a directory of our own, or of registry's image where registry is meant. */
export function resolveStorage(storage: FileConfig['storage'], mode: Mode, resolving: Resolving): StorageConfig {
  const given = treeAt(resolving.tree, ['storage']);
  const drivers = given?.kind === 'map' ? [...given.entries].filter(([key]) => !storageDriversNot.has(key)) : [];
  const [first, second] = drivers;
  if (first !== undefined && second !== undefined) {
    const isEnv = drivers.some(([, entry]) => entry.keyOrigin.kind === 'env');
    const advice = isEnv ? `set REGISTRY_STORAGE=${second[0]} as well, which replaces what the file says` : 'leave one';
    resolving.problem(['storage', second[0]], `a second driver beside ${first[0]}; ${advice}`);
  }
  if (storage.inmemory !== undefined) return { driver: 'inmemory' };
  const rootDirectory = storage.filesystem?.rootdirectory ?? defaultRoot(mode, resolving.machine);
  if (storage.filesystem === undefined && first === undefined)
    resolving.derive('storage.filesystem.rootdirectory', rootDirectory);
  return { driver: 'filesystem', rootDirectory: resolving.path(rootDirectory) };
}

function defaultRoot(mode: Mode, machine: Machine): string {
  if (mode !== 'entrepot') return '/var/lib/registry';
  return machine.isRoot
    ? '/var/lib/entrepot'
    : join(machine.dataHome ?? join(machine.home, '.local/share'), 'entrepot');
}

export function resolveIndex(storage: StorageConfig): IndexConfig {
  if (storage.driver === 'inmemory') return { kind: 'sqlite-memory' };
  return { kind: 'sqlite', path: join(storage.rootDirectory, 'entrepot/index.db') };
}

/** Where the socket may be, besides what `admin` says. */
export interface AroundAdmin {
  readonly storage: StorageConfig;
  readonly listen: readonly ListenAddress[];
}

export function resolveAdmin(admin: FileConfig['admin'], around: AroundAdmin, resolving: Resolving): AdminConfig {
  const socket = admin.socket === undefined ? defaultSocket(around, resolving.machine) : resolving.path(admin.socket);
  const tokenPath = admin.tokenfile && resolving.file(['admin', 'tokenfile'], admin.tokenfile);
  const isTooLong = Buffer.byteLength(socket) > socketPathBytesMax;
  if (admin.socket !== undefined) {
    if (isTooLong)
      resolving.problem(
        ['admin', 'socket'],
        `is longer than the ${socketPathBytesMax} bytes that the path of a socket may have; write a shorter one`,
      );
    return { socket, tokenPath };
  }
  if (isTooLong)
    resolving.notices.push(
      `there is no admin socket: ${socket} is longer than ${socketPathBytesMax} bytes; set admin.socket to a shorter path`,
    );
  else resolving.derive('admin.socket', socket);
  return { socket: isTooLong ? undefined : socket, tokenPath };
}

/** Without a directory of its own, told apart by its port: the command line finds it with the same configuration. */
function defaultSocket({ storage, listen }: AroundAdmin, machine: Machine): string {
  if (storage.driver === 'filesystem') return join(storage.rootDirectory, 'entrepot/admin.sock');
  const port = listen.find((address) => address.port !== 0)?.port ?? `pid${process.pid}`;
  return join(machine.runtimeDirectory ?? machine.temporaryDirectory, `entrepot-${port}/admin.sock`);
}
