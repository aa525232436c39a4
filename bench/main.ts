/**
 * npm run bench -- [SUITE...] [--short] [--strict]; --help tells the rest
 *
 * A time that is missed is reported, not an error, unless --strict: it says as much about the machine. A count that is
 * wrong (a byte fetched twice, a request too many) and a suite that breaks off are errors, when they happen twice.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { TempDir } from '../test/support/temp-dir.ts';
import { coldManifest } from './cold-manifest.ts';
import { collection } from './collection.ts';
import { indexScale } from './index-scale.ts';
import { listings } from './listings.ts';
import { memory } from './memory.ts';
import { parallelRanges } from './parallel-ranges.ts';
import { pushes } from './pushes.ts';
import { stampede } from './stampede.ts';
import { failures, judge, renderTable } from './support/report.ts';
import type { Outcome } from './support/report.ts';
import { Machine, SUBJECTS } from './support/subjects.ts';
import type { Suite } from './support/suite.ts';
import { tunnel } from './tunnel.ts';
import { warmBlob } from './warm-blob.ts';
import { warmManifests } from './warm-manifests.ts';

const SUITES: readonly Suite[] = [
  warmBlob,
  warmManifests,
  stampede,
  tunnel,
  parallelRanges,
  coldManifest,
  pushes,
  listings,
  collection,
  memory,
  indexScale,
];

const USAGE = `npm run bench -- [SUITE...] [--short] [--strict] [--subject ${SUBJECTS.join('|')}] [--json FILE] [--cpu-prof DIRECTORY]

  --short    less of everything: under ten minutes
  --strict   a missed time fails the run, too
  --subject  what is measured (docker-registry: to prove the suites themselves)
  --json     where the results are written (default bench/results/TIME.json)
  --cpu-prof where CPU profiles of the subject are written (its times are worse then)

${SUITES.map(({ name, about }) => `  ${name.padEnd(16)} ${about}`).join('\n')}`;

process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  const choice = choose(args);
  if (typeof choice === 'string') {
    console.error(choice);
    return 2;
  }
  const { suites, short, strict, subject } = choice;
  const startedAt = new Date().toISOString();
  const machine = await Machine.look({ subject, profiles: choice['cpu-prof'] });
  const outcomes: Outcome[] = [];
  for (const suite of suites) outcomes.push(...(await runTwice(suite, machine, short)));
  const file = choice.json ?? resultsFile(startedAt);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(
    file,
    JSON.stringify(
      { startedAt, short, subject, machine: describeMachine(), outcomes: withVerdicts(outcomes) },
      undefined,
      2,
    ),
  );
  console.log(renderTable(outcomes));
  for (const sentence of machine.missing()) console.log(sentence);
  console.log(`All of it as JSON: ${file}`);
  const wrong = failures(lastOf(outcomes), strict);
  for (const sentence of failures(outcomes, strict)) console.log(`FAILED ${sentence}`);
  return wrong.length > 0 ? 1 : 0;
}

function choose(args: string[]) {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        short: { type: 'boolean', default: false },
        strict: { type: 'boolean', default: false },
        subject: { type: 'string', default: SUBJECTS[0] },
        json: { type: 'string' },
        'cpu-prof': { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    const unknown = positionals.filter((name) => !SUITES.some((suite) => suite.name === name));
    const subject = SUBJECTS.find((name) => name === values.subject);
    if (values.help || unknown.length > 0 || !subject)
      return [...unknown.map((name) => `There is no suite ${name}.`), USAGE].join('\n');
    const suites = SUITES.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
    return { ...values, suites, subject };
  } catch (error) {
    return `${(error as Error).message}\n${USAGE}`;
  }
}

/** What failed is run once more, and both are shown: a peer that gave up on a busy machine says nothing of us. */
async function runTwice(suite: Suite, machine: Machine, short: boolean): Promise<Outcome[]> {
  const outcome = await runSuite(suite, machine, short);
  const again = failures([outcome], false);
  if (again.length === 0) return [outcome];
  console.error(`[${suite.name}] once more: ${again.join('; ')}`);
  return [outcome, await runSuite(suite, machine, short)];
}

/** The last one of each suite counts. */
function lastOf(outcomes: readonly Outcome[]): Outcome[] {
  return [...new Map(outcomes.map((outcome) => [outcome.suite, outcome])).values()];
}

async function runSuite(suite: Suite, machine: Machine, short: boolean): Promise<Outcome> {
  const startedAt = performance.now();
  const say = (progress: string): void => console.error(`[${suite.name}] ${progress}`);
  const seconds = (): number => (performance.now() - startedAt) / 1000;
  await using directory = await TempDir.make();
  try {
    say(suite.about);
    const rows = await suite.run({ short, machine, directory: directory.path, say });
    return { suite: suite.name, rows, seconds: seconds() };
  } catch (error) {
    const crash = error instanceof Error ? (error.stack ?? error.message) : String(error);
    say(crash);
    return { suite: suite.name, rows: [], seconds: seconds(), crash };
  }
}

function withVerdicts(outcomes: readonly Outcome[]): object[] {
  return outcomes.map((outcome) => ({
    ...outcome,
    rows: outcome.rows.map((row) => ({ ...row, verdict: judge(row.bar) })),
  }));
}

function describeMachine(): object {
  const processors = cpus();
  return {
    processors: processors.length,
    model: processors[0]?.model,
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
    loadAverage: loadavg(),
  };
}

function resultsFile(startedAt: string): string {
  return join(fileURLToPath(new URL('./results', import.meta.url)), `${startedAt.replaceAll(':', '-')}.json`);
}
