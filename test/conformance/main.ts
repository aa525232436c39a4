/** Starts the subject, lets the runner at it, and tells what came of it. Started by run.sh, which builds the runner. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ServerProcess } from '../support/processes.ts';
import { TempDir } from '../support/temp-dir.ts';
import { runBeyond } from './beyond/run.ts';
import { parseJunit } from './cases.ts';
import type { Case } from './cases.ts';
import { reportText } from './report.ts';
import { settingsFor } from './settings.ts';
import { parseSkips, skipProblems } from './skips.ts';

const subjects = ['entrepot', 'docker-registry'] as const;
type Subject = (typeof subjects)[number];

const usage = `npm run conformance -- [--subject ${subjects.join('|')}]`;
const runnerMsMax = 300_000;
const outputCharactersMax = 64_000_000;

process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      runner: { type: 'string' },
      results: { type: 'string' },
      subject: { type: 'string', default: 'entrepot' },
    },
  });
  const subject = subjects.find((each) => each === values.subject);
  if (subject === undefined || values.results === undefined) {
    process.stderr.write(`${usage}\n`);
    return 2;
  }
  const directory = join(values.results, subject);
  const { runner, beyond } = await run(subject, values.runner, directory);
  const listed = parseSkips(await readFile(join(import.meta.dirname, 'skipped.md'), 'utf8'));
  const problems = runner === undefined ? [] : skipProblems(runner, listed);
  const lines = [
    ...(runner === undefined
      ? []
      : [`the specification's runner against ${subject}`, reportText(runner, listed), ...problems]),
    `our own cases (beyond/) against ${subject}`,
    reportText(beyond, listed),
    `results in ${directory}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  const failed = [...(runner ?? []), ...beyond].some(({ outcome }) => outcome === 'failed');
  return failed || problems.length > 0 ? 1 : 0;
}

interface Found {
  /** Undefined if there is none to be had. */
  readonly runner: readonly Case[] | undefined;
  readonly beyond: readonly Case[];
}

/** Leaves in `directory` what the runner and the subject wrote. */
async function run(subject: Subject, runner: string | undefined, directory: string): Promise<Found> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  await using temporary = await TempDir.make();
  await using server = await startSubject(subject, temporary.path);
  const ran = runner === undefined ? undefined : await runRunner(runner, new URL(server.origin).host, directory);
  const beyond = await runBeyond(server.origin);
  await server.stop();
  await writeFile(join(directory, 'server.log'), server.logs);
  return { runner: ran, beyond };
}

/** Every name is hosted, and everything that is optional is allowed. */
function startSubject(subject: Subject, directory: string): Promise<ServerProcess> {
  const config = {
    log: { level: 'info' },
    storage: { filesystem: { rootdirectory: join(directory, 'registry') }, delete: { enabled: true } },
  };
  if (subject !== 'entrepot') return ServerProcess.start({ directory, config, program: subject });
  const ours = { http: { debug: { addr: '127.0.0.1:0' } }, hosted: { names: ['**'], sparse: true } };
  return ServerProcess.start({ directory, config: { ...config, ...ours } });
}

async function runRunner(runner: string, host: string, directory: string): Promise<readonly Case[]> {
  const child = spawn(runner, {
    cwd: directory,
    env: { PATH: process.env['PATH'] ?? '', ...settingsFor(host, directory) },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: runnerMsMax,
    killSignal: 'SIGKILL',
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-outputCharactersMax)));
  await once(child, 'close');
  await writeFile(join(directory, 'output.log'), output);
  const junit = await readFile(join(directory, 'junit.xml'), 'utf8').catch(() => undefined);
  if (child.signalCode === null && junit !== undefined) return parseJunit(junit);
  const outcome = child.signalCode === null ? 'wrote no results' : `was killed (${child.signalCode})`;
  throw new Error(`the runner ${outcome}; it said:\n${output.slice(-4_000)}`);
}
