import { ConfigError, originText } from '../config/error.ts';
import { messageOf, RegistryError } from '../oci/errors.ts';

/** A command that ran and found that something is wrong. Its message is a sentence that ends with what to do. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
}

/** A command was asked for what makes no sense. */
export class WrongUsage extends CommandFailed {}

/** What an operator is told of an error: never a stack trace, always what to do. */
export function troubleText(error: unknown): string {
  if (error instanceof ConfigError) return configTrouble(error);
  if (error instanceof CommandFailed || error instanceof RegistryError) return error.message;
  if (isSystemError(error)) return systemTrouble(error);
  return `${messageOf(error)} (this should not happen; set ENTREPOT_DEBUG=1 to see where, and report it)`;
}

/** ENOENT and its like; Node's own ERR_... are bugs of ours. */
function isSystemError(error: unknown): error is SystemError {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && /^E[A-Z0-9]+$/.test(error.code);
}

interface SystemError extends Error {
  readonly code: string;
  readonly path?: string;
  readonly address?: string;
  readonly hostname?: string;
  readonly port?: number;
}

function configTrouble({ problems, message }: ConfigError): string {
  const [file] = problems.flatMap(({ origin }) => (origin.kind === 'file' ? [origin.file] : []));
  const where = file ?? originText(problems[0]?.origin ?? { kind: 'default' });
  const count = problems.length === 1 ? 'One thing is' : `${problems.length} things are`;
  return `${message}\n${count} wrong with the configuration (${where}); correct it and try again.`;
}

function systemTrouble(error: SystemError): string {
  return error.port === undefined ? fileTrouble(error) : listenTrouble(error, 'http.addr');
}

/** @param setting the configuration's key of the address that cannot be listened on */
export function listenTrouble(error: unknown, setting: string): string {
  if (!isSystemError(error)) return troubleText(error);
  const { code, address, port, message } = error;
  const where = `${address === undefined || address === '::' ? '' : address}:${port}`;
  if (code === 'EADDRINUSE') {
    const variable = `ENTREPOT_${setting.replaceAll('.', '_').toUpperCase()}`;
    return `Another process listens on ${where} already; stop it, or set ${setting} (or ${variable}) to another one.`;
  }
  if (code === 'EACCES') {
    return `This user may not listen on ${where}; set ${setting} to a port above 1023, or grant CAP_NET_BIND_SERVICE.`;
  }
  if (code === 'EADDRNOTAVAIL') {
    return `${address} is not an address of this machine; set ${setting} to one that is, or to :${port} for all of them.`;
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return `No address is known for ${error.hostname}; set ${setting} to an address of this machine, or to its port alone for all of them.`;
  }
  return `Cannot listen: ${message}; set ${setting} to another address.`;
}

const fileReasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
};

function fileTrouble({ code, path, message }: SystemError): string {
  const where = path ?? 'the storage directory';
  const reason = fileReasons[code];
  if (reason !== undefined) {
    return `Cannot write ${where} (${reason}); give the user that runs entrepot access, or set storage.filesystem.rootdirectory to a directory of its own.`;
  }
  if (code === 'ENOSPC')
    return `The disk of ${where} is full; free some space, or set storage.filesystem.rootdirectory to another disk.`;
  if (code === 'ENOENT') return `${where} does not exist; check its spelling.`;
  if (code === 'ENOTDIR')
    return `A part of ${where} is a file where a directory is needed; move it away or name another directory.`;
  if (code === 'EISDIR') return `${where} is a directory where a file is needed; name the file.`;
  // Reads of a file that is open tell no path, and nothing of a connection does.
  if (path === undefined && code !== 'EIO')
    return `${message}; try again, and set ENTREPOT_DEBUG=1 to see where it comes from.`;
  return `${message}; look into ${where}.`;
}
