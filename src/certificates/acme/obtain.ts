import { generateKeyPairSync } from 'node:crypto';
import type { Clock } from '../../observe/clock.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Issued } from './cache.ts';
import type { Challenges, ChallengeKind } from './challenges.ts';
import { objectsIn, recordOf, textIn } from './client.ts';
import type { AcmeAccount, AcmeReply } from './client.ts';
import { signingRequest } from './csr.ts';
import type { AccountKey } from './jws.ts';
import { nonsense, problemText } from './problem.ts';

export interface ObtainOptions {
  readonly account: AcmeAccount;
  readonly key: AccountKey;
  readonly challenges: Challenges;
  /** The ways to prove a name, the one to be tried first. */
  readonly ways: readonly ChallengeKind[];
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** An order takes a few seconds; one that takes minutes comes to nothing. */
const pollsMax = 60;
const pollMs = 2_000;
const pollMsMax = 30_000;

/**
 * A certificate for that name, and its new key.
 * @throws RegistryError with what the server says, and what to do
 */
export async function obtain(host: string, options: ObtainOptions): Promise<Issued> {
  const { account } = options;
  const { json, location } = await account.order(host);
  if (location === undefined) throw nonsense('answered without the place of the order');
  const authorizations: unknown = json['authorizations'];
  for (const url of Array.isArray(authorizations) ? authorizations : []) await prove(host, String(url), options);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const csr = signingRequest(host, privateKey).toString('base64url');
  await account.post(textIn(json, 'finalize'), { csr });
  const done = await settled(location, ['pending', 'ready', 'processing'], options);
  if (done.json['status'] !== 'valid') throw refused(host, done);
  const { text } = await account.read(textIn(done.json, 'certificate'));
  return { cert: text, key: privateKey.export({ type: 'sec1', format: 'pem' }) };
}

async function prove(host: string, url: string, options: ObtainOptions): Promise<void> {
  const { account, key, challenges, ways } = options;
  const authorization = await account.read(url);
  if (authorization.json['status'] === 'valid') return;
  const offered = objectsIn(authorization.json, 'challenges');
  const kind = ways.find((each) => offered.some(({ type }) => type === each));
  const challenge = offered.find(({ type }) => type === kind);
  if (kind === undefined || challenge === undefined)
    throw nonsense(`offers no way to prove ${host} that we know (${ways.join(', ')})`);
  const token = textIn(challenge, 'token');
  using _answering = challenges.answer(kind, host, token, key.authorization(token));
  await account.post(textIn(challenge, 'url'), {});
  const done = await settled(url, ['pending'], options);
  if (done.json['status'] !== 'valid') throw refused(host, done);
}

async function settled(url: string, open: readonly string[], options: ObtainOptions): Promise<AcmeReply> {
  const { account, clock, signal } = options;
  for (let polls = 0; polls < pollsMax; polls += 1) {
    const reply = await account.read(url);
    if (!open.includes(String(reply.json['status']))) return reply;
    const afterMs = (reply.retryAfterSeconds ?? 0) * 1_000;
    await clock.sleep(afterMs > 0 ? Math.min(afterMs, pollMsMax) : pollMs, signal);
  }
  const message = 'the ACME server came to no end; it is asked again by itself';
  throw new RegistryError('UPSTREAM_TIMEOUT', message);
}

function refused(host: string, { json }: AcmeReply): RegistryError {
  const found = [json, ...objectsIn(json, 'challenges')].map(({ error }) => recordOf(error));
  const problems = found.filter((problem) => problem !== undefined).map(problemText);
  const why = problems.join('; ') || `it is ${String(json['status'])}`;
  const advice = `make sure that ${host} leads to this server on port 443 (or on port 80 over plain HTTP)`;
  return new RegistryError('UPSTREAM_FAILED', `the ACME server gives no certificate for ${host}: ${why}; ${advice}`);
}
