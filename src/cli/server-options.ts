import { Option } from '@commander-js/extra-typings';
import { ConfigError } from '../config/error.ts';
import { loadConfig } from '../config/load.ts';
import { adminClient } from './admin-client.ts';
import type { AdminClient } from './admin-client.ts';
import { pathOf } from './argument-parsers.ts';
import type { Context } from './context.ts';
import { CommandFailed, troubleText } from './trouble.ts';

/** Options of every command that talks to a running server. */
export interface ServerOptions {
  readonly socket?: string | undefined;
  readonly config?: string | undefined;
}

export const socketOption = () =>
  new Option('--socket <path>', "the running server's admin socket (default: what the configuration says)").argParser(
    pathOf,
  );

export const configOption = () =>
  new Option('--config <file>', "the running server's configuration, to find its socket").argParser(pathOf);

export const jsonOption = () => new Option('--json', 'print JSON');

/** The server that the options mean; without any, the one that the default configuration would start. */
export async function connectTo(context: Context, options: ServerOptions): Promise<AdminClient> {
  if (options.socket !== undefined) return adminClient(options.socket);
  const { config } = await loadConfig({ path: options.config, env: context.env }).catch(orNameTheSocket);
  if (config.admin.socket !== undefined) return adminClient(config.admin.socket);
  throw new CommandFailed(
    'This configuration has no admin socket; set admin.socket, or name the socket with --socket.',
  );
}

/** The running server may go on with what the file said before. */
function orNameTheSocket(error: unknown): never {
  if (!(error instanceof ConfigError)) throw error;
  throw new CommandFailed(`${troubleText(error)} A server that runs already can be reached by --socket.`);
}
