import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { CommandFailed, WrongUsage } from './trouble.ts';

export type Parameters = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** Speaks to the admin socket of a running server. */
export interface AdminClient {
  /** @throws CommandFailed with the server's own words, or with what to do when no server answers */
  get<T>(path: string, parameters?: Parameters): Promise<T>;
  post<T>(path: string, parameters?: Parameters): Promise<T>;
  /** An answer that comes one JSON value a line. */
  lines<T>(path: string, parameters?: Parameters): AsyncIterable<T>;
}

export function adminClient(socketPath: string): AdminClient {
  const ask = async (method: string, path: string, parameters: Parameters = {}): Promise<IncomingMessage> => {
    const answer = await send(socketPath, method, path + queryText(parameters));
    if (answer.statusCode === 200) return answer;
    const text = errorText(answer.statusCode ?? 0, await textOf(answer));
    // What was asked for is as it was written on the command line.
    throw answer.statusCode === 400 ? new WrongUsage(text) : new CommandFailed(text);
  };
  return {
    get: async <T>(path: string, parameters?: Parameters) => parsed<T>(await ask('GET', path, parameters)),
    post: async <T>(path: string, parameters?: Parameters) => parsed<T>(await ask('POST', path, parameters)),
    async *lines<T>(path: string, parameters?: Parameters) {
      yield* linesOf<T>(await ask('POST', path, parameters));
    },
  };
}

/** Nobody listens at the socket. */
export class ServerAway extends CommandFailed {}

async function send(socketPath: string, method: string, path: string): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = request({ socketPath, method, path, headers: { Host: 'admin' } }, resolve);
  outgoing.once('error', (error) => reject(unreachable(socketPath, error)));
  outgoing.end();
  return promise;
}

function unreachable(socketPath: string, error: Error): CommandFailed {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return new ServerAway(
      `No server answers at ${socketPath}; start one with "entrepot serve", or name its socket with --socket or its configuration with --config.`,
    );
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new CommandFailed(`This user may not open ${socketPath}; run the command as the user that runs the server.`);
  }
  return new CommandFailed(
    `The server at ${socketPath} did not answer: ${error.message}; try again, or look into its log.`,
  );
}

function queryText(parameters: Parameters): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined) continue;
    for (const each of Array.isArray(value) ? value : [value]) query.append(name, String(each));
  }
  return query.size === 0 ? '' : `?${query.toString()}`;
}

async function parsed<T>(answer: IncomingMessage): Promise<T> {
  return JSON.parse(await textOf(answer)) as T;
}

async function* linesOf<T>(answer: IncomingMessage): AsyncIterable<T> {
  try {
    const lines = createInterface({ input: answer, crlfDelay: Number.POSITIVE_INFINITY });
    for await (const line of lines) yield JSON.parse(line) as T;
  } catch (error) {
    // Half a line is no JSON either.
    if (answer.complete) throw error;
  }
  if (!answer.complete) throw wentAway();
}

async function textOf(answer: IncomingMessage): Promise<string> {
  answer.setEncoding('utf8');
  let text = '';
  try {
    for await (const chunk of answer) text += chunk;
  } catch {
    throw wentAway();
  }
  return text;
}

function wentAway(): CommandFailed {
  return new CommandFailed('The server went away in the middle of its answer; try again.');
}

/** The specification's error body, or whatever was sent instead. */
function errorText(status: number, body: string): string {
  try {
    const { errors } = JSON.parse(body) as { errors?: readonly { readonly message?: string }[] };
    const message = errors?.[0]?.message;
    if (message !== undefined) return message;
  } catch {
    // Not JSON: fall through to what it is.
  }
  return `The server answered ${status}: ${body.slice(0, 500).trim()}; look into its log.`;
}
