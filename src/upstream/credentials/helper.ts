import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { Secret } from '../../config/secret.ts';
import type { Clock } from '../../observe/clock.ts';
import type { Credential, CredentialSource, CredentialSurroundings } from '../credentials.ts';
import { Remembered } from './remembered.ts';
import { dockerServerName } from './server-name.ts';

/** A helper does not say how long its answer is good. In milliseconds. */
const rememberedMs = 300_000;
const helperMsMax = 10_000;
const outputBytesMax = 65_536;

/** `docker-credential-NAME get` (https://github.com/docker/docker-credential-helpers). */
export function helperCredentials(
  name: string,
  { url, clock, environment }: Pick<CredentialSurroundings, 'url' | 'clock' | 'environment'>,
): CredentialSource {
  return new Remembered(clock, async () => ({
    credential: await askHelper(name, dockerServerName(url), clock, environment),
    forMs: rememberedMs,
  }));
}

/**
 * @returns `undefined` when the helper has none for this server
 * @throws Error when it cannot be run, or fails
 */
export async function askHelper(
  name: string,
  server: string,
  clock: Clock,
  environment: CredentialSurroundings['environment'],
): Promise<Credential | undefined> {
  if (!/^[a-zA-Z0-9][a-zA-Z0-9._-]*$/.test(name)) throw new Error(`"${name}" is not the name of a credential helper`);
  return await askProgram(`docker-credential-${name}`, server, clock, environment);
}

/** Any program that answers as a helper does: the name of one in PATH, or a path. */
export async function askProgram(
  program: string,
  server: string,
  clock: Clock,
  environment: CredentialSurroundings['environment'],
): Promise<Credential | undefined> {
  const { code, output } = await run(program, server, clock, environment);
  if (code !== 0) {
    if (/credentials not found/i.test(output)) return undefined;
    throw new Error(`${program} failed (exit code ${code}): ${firstLine(output)}`);
  }
  return parseHelperAnswer(output, program);
}

function parseHelperAnswer(output: string, program: string): Credential {
  let answer: unknown;
  try {
    answer = JSON.parse(output);
  } catch {
    throw new Error(`${program} did not answer in JSON`);
  }
  const fields: { Username?: unknown; Secret?: unknown } = typeof answer === 'object' && answer !== null ? answer : {};
  const { Username: username, Secret: secret } = fields;
  if (typeof username !== 'string' || typeof secret !== 'string' || secret === '') {
    throw new Error(`${program} answered without a user name and a secret`);
  }
  const hidden = new Secret(secret);
  return username === '<token>' ? { kind: 'refresh', token: hidden } : { kind: 'password', username, password: hidden };
}

interface Finished {
  readonly code: number | null;
  readonly output: string;
}

function run(
  program: string,
  input: string,
  clock: Clock,
  environment: CredentialSurroundings['environment'],
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    // In a group of its own: what it has started itself can be ended with it.
    const child = spawn(program, ['get'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { ...environment },
      detached: true,
    });
    const chunks: Buffer[] = [];
    let size = 0;
    const giveUp = (why: string): void => {
      killGroup(child);
      reject(new Error(why));
    };
    const timer = clock.setTimer(helperMsMax, () => giveUp(`${program} did not answer within ${helperMsMax} ms`));
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > outputBytesMax) giveUp(`${program} answered more than ${outputBytesMax} bytes`);
      else chunks.push(chunk);
    });
    child.on('error', (error) => {
      timer.cancel();
      reject(new Error(`${program} cannot be run: ${error.message}`));
    });
    child.on('close', (code) => {
      timer.cancel();
      resolve({ code, output: Buffer.concat(chunks).toString() });
    });
    // A helper that does not read its input is judged by its answer.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nothing of it is left.
  }
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0]?.slice(0, 200) ?? '';
}
