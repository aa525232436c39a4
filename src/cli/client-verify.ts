import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { RootedFiles } from '../clients/machine/files.ts';
import { newProbeName, probeTag } from '../clients/probe/probe-image.ts';
import type { Sighting } from '../clients/probe/sightings.ts';
import type { Pull } from '../clients/pulls.ts';
import { runtimes } from '../clients/runtimes.ts';
import type { RuntimeName } from '../clients/runtimes.ts';
import { hostOf } from '../clients/target.ts';
import type { ClientTarget } from '../clients/target.ts';
import type { FoundTarget } from './client-server.ts';
import type { Context } from './context.ts';
import { harmless, printJson } from './output.ts';
import { CommandFailed } from './trouble.ts';
import { durationText } from './units.ts';

export interface VerifyOptions {
  readonly root: string;
  /** In milliseconds. */
  readonly wait: number;
  readonly json?: true | undefined;
}

/** What is noted of a request is noted when it has ended, which a client may know a moment before. */
const lagMsMax = 1_000;
const pauseMs = 200;
const pullMsMax = 120_000;

/** Has the runtime pull an image that only the cache has, by the name that it would have in the world, and asks the cache. */
export async function verifyClient(
  context: Context,
  name: RuntimeName,
  { target, ask }: FoundTarget,
  options: VerifyOptions,
): Promise<void> {
  const probe = newProbeName();
  const image = `${whereOf(target, name)}/${probe}:${probeTag}`;
  const pulls = await runtimes[name].pulls(image, new RootedFiles(options.root));
  const pulled = await firstThatIsHere(pulls, context.env);
  if (pulled === undefined) {
    context.out.note(
      `Nothing here pulls as ${name} does. Have it pull this where it is; waiting ${durationText(options.wait)} for that:\n\n  ${image}\n\n`,
    );
  }
  const waitMs = pulled === undefined ? options.wait : lagMsMax;
  const seen = await sightings(context, ask, `/setup/probe/${probe.split('/')[1]}`, waitMs);
  const { door, userAgent } = seen.find(isServed) ?? {};
  const arrived = seen.some(isServed) && (pulled === undefined || pulled.failure === undefined);
  if (options.json === true) {
    const { failure, unproved } = pulled ?? {};
    printJson(context.out, { runtime: name, image, arrived, door, seen, failure, unproved });
  }
  if (!arrived) throw new CommandFailed(explained(name, target.url, image, seen, pulled?.failure));
  if (options.json === true) return;
  const by = pulled === undefined ? 'It' : pulled.program;
  context.out.print(`${by} pulled ${image}, and it came from ${target.url}, ${doors[door ?? 'own']}.\n`);
  context.out.print(`asked by  ${harmless(userAgent ?? '')}\n`);
  if (pulled?.unproved !== undefined) context.out.note(`${pulled.unproved}\n`);
}

const doors: Readonly<Record<NonNullable<Sighting['door']>, string>> = {
  mirror: 'asked as the mirror of the default registry (door: mirror)',
  ns: 'asked with ?ns= (door: ns)',
  path: 'asked by its path (door: path)',
  own: 'asked by its own name (door: own)',
  tunnel: 'through a tunnel to the registry itself (door: tunnel)',
  sni: 'asked by a name that leads here, over TLS (door: sni)',
  host: 'asked by a name that leads here (door: host)',
  absolute: 'asked as a proxy for plain HTTP (door: absolute)',
};

/** The name that the runtime is set up to find here: a registry's own, unless nothing but ours leads here. */
function whereOf(target: ClientTarget, name: RuntimeName): string {
  const { defaultUpstream, serves } = target;
  if (serves === 'none' || defaultUpstream === undefined) return hostOf(target);
  const asksForHubOnly = name === 'docker-mirror' || name === 'dind' || name === 'gitlab-runner';
  if (!asksForHubOnly || defaultUpstream === 'docker.io') return defaultUpstream;
  return serves === 'one' ? hostOf(target) : `${hostOf(target)}/${defaultUpstream}`;
}

function isServed({ object, status }: Sighting): boolean {
  return object === 'manifest' && status === 200;
}

async function sightings(
  { clock }: Context,
  ask: FoundTarget['ask'],
  path: string,
  waitMs: number,
): Promise<readonly Sighting[]> {
  const end = clock.monotonic() + waitMs;
  for (;;) {
    const { seen } = JSON.parse(await ask(path)) as { readonly seen: readonly Sighting[] };
    if (seen.some(isServed) || clock.monotonic() >= end) return seen;
    await clock.sleep(pauseMs);
  }
}

interface Pulled {
  readonly program: string;
  /** What it said, where it failed. */
  readonly failure: string | undefined;
  readonly unproved: Pull['unproved'];
}

async function firstThatIsHere(pulls: readonly Pull[], env: Context['env']): Promise<Pulled | undefined> {
  for (const { argv, remove, input, unproved } of pulls) {
    const ran = await run(argv, input, env);
    if (ran === undefined) continue;
    if (ran.code === 0 && remove !== undefined) await run(remove, '', env);
    return { program: argv[0], failure: ran.code === 0 ? undefined : ran.said, unproved };
  }
  return undefined;
}

interface Ran {
  readonly code: number | null;
  readonly said: string;
}

/** `undefined` where there is no such program. */
async function run(argv: readonly string[], input: string, env: Context['env']): Promise<Ran | undefined> {
  const [program = '', ...rest] = argv;
  const child = spawn(program, rest, { env: { ...env }, timeout: pullMsMax, killSignal: 'SIGKILL' });
  child.stdin.on('error', () => undefined).end(input);
  try {
    const [code, out, errors] = await Promise.all([
      once(child, 'close').then(([exit]) => exit as number | null),
      text(child.stdout),
      text(child.stderr),
    ]);
    return { code, said: harmless(`${errors}${out}`.trim()) };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function explained(
  name: RuntimeName,
  url: string,
  image: string,
  seen: readonly Sighting[],
  failure: string | undefined,
): string {
  const said = failure === undefined ? '' : `\nThe runtime said: ${failure}`;
  const refused = seen.findLast(({ status }) => status >= 400);
  if (refused !== undefined && !seen.some(isServed)) {
    return `${image} was asked for at ${url}, ${doors[refused.door ?? 'own']}, and refused with ${refused.status} (${refused.errorMessage ?? 'no reason given'}); allow it there, and verify again.${said}`;
  }
  if (seen.length > 0)
    return `${image} came from ${url}, and the runtime made nothing of it; look into its log.${said}`;
  return `Nothing of ${image} was asked for at ${url}: this ${name} does not use it. Apply the configuration (entrepot client ${name} --url ${url} --apply), run what that says, and verify again.${said}`;
}
