import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { FakeClock } from '../../test/support/fake-clock.ts';
import type { TempDir } from '../../test/support/temp-dir.ts';
import type { Clock } from '../observe/clock.ts';
import type { Upstream, UpstreamCheck, Upstreams } from '../upstream/contract.ts';
import type { Finding } from './check.ts';
import type { Context } from './context.ts';
import { runCli } from './run.ts';

/** For this room's tests: runs one command and returns what it printed. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly notes: string;
}

export interface Play {
  readonly clock: Clock;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly terminal?: boolean;
  readonly columns?: number;
  /** What the notes say, as they are written. */
  readonly onNote?: (text: string) => void;
  readonly upstreams?: Upstreams;
  readonly secret?: string;
  readonly startServer?: Context['startServer'];
  readonly rebuildIndex?: Context['rebuildIndex'];
  readonly collectStopped?: Context['collectStopped'];
  readonly untilStopped?: Context['untilStopped'];
}

export async function cli(args: readonly string[], play: Play): Promise<Ran> {
  let out = '';
  let notes = '';
  const code = await runCli(args, {
    env: play.env ?? {},
    clock: play.clock,
    out: {
      print: (text) => (out += text),
      note: (text) => {
        notes += text;
        play.onNote?.(text);
      },
      terminal: play.terminal ?? false,
      noteTerminal: play.terminal ?? false,
      columns: play.columns ?? 100,
    },
    askSecret: async () => play.secret ?? '',
    startServer: play.startServer ?? (() => Promise.reject(new Error('not expected'))),
    rebuildIndex: play.rebuildIndex ?? (() => Promise.reject(new Error('not expected'))),
    inspectIndex: async (index) => (await import('../furnish.ts')).inspectIndex(index),
    openUpstreams: async () => play.upstreams ?? noUpstreams,
    collectStopped: play.collectStopped ?? noLines,
    untilStopped: play.untilStopped ?? (() => Promise.resolve('SIGTERM')),
  });
  return { code, out, notes };
}

async function* noLines() {}

const noUpstreams: Upstreams = { find: () => undefined, list: () => [], close: async () => {} };

export type Canned = Readonly<Record<string, unknown>>;

/** An admin socket with canned answers by `METHOD /path?query`; a list is answered a line each, an Error refused. */
export async function cannedServer(
  socketPath: string,
  answers: Canned,
): Promise<AsyncDisposable & { readonly asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const what = `${request.method} ${request.url}`;
    asked.push(what);
    const answer = answers[what] ?? new Error(`nothing is canned for ${what}`);
    response.statusCode = answer instanceof Error ? 404 : 200;
    if (answer instanceof Error)
      response.end(JSON.stringify({ errors: [{ code: 'NOT_FOUND', message: answer.message }] }));
    else if (Array.isArray(answer) && what.startsWith('POST'))
      response.end(answer.map((line) => `${JSON.stringify(line)}\n`).join(''));
    else response.end(JSON.stringify(answer));
  });
  server.listen(socketPath);
  await once(server, 'listening');
  return {
    asked,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** Upstreams that are as a test says. */
export function upstreams(statuses: Readonly<Record<string, Partial<UpstreamCheck>>>): Upstreams {
  const find = (name: string): Upstream | undefined => {
    const given = statuses[name];
    if (given === undefined) return undefined;
    const status: UpstreamCheck = {
      name,
      url: `https://${name}`,
      circuit: 'closed',
      lastError: undefined,
      limit: undefined,
      transfers: 0,
      ...given,
    };
    return {
      name,
      url: status.url,
      hasCredentials: false,
      relay: async () => {
        throw new Error('not expected');
      },
      upgrade: async () => {
        throw new Error('not expected');
      },
      repository: () => {
        throw new Error('not expected');
      },
      check: async () => status,
      status: () => status,
    };
  };
  return { find, list: () => [], close: async () => {} };
}

/** Runs `check` over a configuration. */
export async function runCheck(
  dir: TempDir,
  yaml: string,
  args: readonly string[] = [],
  found: Upstreams = upstreams({}),
  clock: Clock = new FakeClock(),
) {
  const path = dir.join('config.yml');
  const base = `version: 0.1\nstorage: { filesystem: { rootdirectory: "${dir.join('data')}" } }\n`;
  await writeFile(path, base + yaml);
  const ran = await cli(['check', path, '--json', ...args], { clock, upstreams: found });
  const { findings } = JSON.parse(ran.out) as { readonly findings: readonly Finding[] };
  return { ...ran, findings: new Map(findings.map((finding) => [finding.what, finding])) };
}

export const anyPort = 'http: { addr: "127.0.0.1:0" }\n';
