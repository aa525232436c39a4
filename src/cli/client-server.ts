import { once } from 'node:events';
import { get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { get as getSecurely } from 'node:https';
import { text } from 'node:stream/consumers';
import type { AuthorityView } from '../admin/views.ts';
import { parseFacts, targetAt } from '../clients/facts.ts';
import type { ClientFacts } from '../clients/facts.ts';
import { offeredTo } from '../clients/runtimes.ts';
import type { RuntimeName } from '../clients/runtimes.ts';
import type { ClientTarget } from '../clients/target.ts';
import { loadConfig } from '../config/load.ts';
import { messageOf } from '../oci/errors.ts';
import { compareFingerprint } from './client-fingerprint.ts';
import { clientTarget } from './client-target.ts';
import type { Context } from './context.ts';
import { connectTo } from './server-options.ts';
import { CommandFailed } from './trouble.ts';

export interface TargetOptions {
  readonly url?: string | undefined;
  readonly config?: string | undefined;
  readonly socket?: string | undefined;
  readonly offline?: true | undefined;
  readonly apply?: true | undefined;
  readonly verify?: true | undefined;
  readonly fingerprint?: string | undefined;
}

/** The cache, and how to ask it. */
export interface FoundTarget {
  readonly target: ClientTarget;
  readonly ask: (path: string) => Promise<string>;
}

const answerMsMax = 5_000;

/** What a server at the URL says of itself; what the configuration says where no server is to be asked, or none answers. */
export async function findTarget(context: Context, name: RuntimeName, options: TargetOptions): Promise<FoundTarget> {
  const { url } = options;
  if (url === undefined || options.config !== undefined || options.offline === true) {
    return await configured(context, options);
  }
  try {
    return await asked(context, name, url, options.fingerprint);
  } catch (error) {
    if (error instanceof CommandFailed) throw error;
    const why = messageOf(error);
    if (options.apply === true || options.verify === true) {
      throw new CommandFailed(
        `No server answers at ${url} (${why}); start it or correct --url${options.apply === true ? ', or apply unseen with --offline' : ''}.`,
      );
    }
    context.out.note(`No server answers at ${url} (${why}): this is what the configuration here would mean.\n\n`);
    return await configured(context, options);
  }
}

/** From the configuration; with the certificate of our own authority, if the server that it would start is there to hand it out. */
async function configured(context: Context, options: TargetOptions): Promise<FoundTarget> {
  const { config } = await loadConfig({ path: options.config, env: context.env });
  const target = clientTarget(config, options.url);
  const known = options.offline === true ? [] : await authoritiesOf(context, options);
  const pemOf = (kind: AuthorityView['kind']): string | undefined => {
    const own = known.filter((each) => each.kind === kind).map((each) => each.pem);
    return own.length === 0 ? undefined : own.join('');
  };
  const pem = pemOf('server');
  const authority = target.authority && { pem };
  const interception = target.interception && { pem: pemOf('interception') };
  return { target: { ...target, authority, interception }, ask: (path) => fetchText(target.url + path, { ca: pem }) };
}

/** None where no server answers. */
async function authoritiesOf(context: Context, options: TargetOptions): Promise<readonly AuthorityView[]> {
  try {
    const client = await connectTo(context, options);
    return await client.get<readonly AuthorityView[]>('/v1/authorities');
  } catch {
    return [];
  }
}

/**
 * A server whose authority this machine does not know yet is asked for it, and then held to it: what counts is what it says
 * after that.
 */
async function asked(
  context: Context,
  name: RuntimeName,
  url: string,
  fingerprint: string | undefined,
): Promise<FoundTarget> {
  const read = async (trust: Trust): Promise<ClientTarget> =>
    targetAt(url, factsIn(url, await fetchText(`${url}/setup/client.json`, trust)));
  const { authority } = await read({ insecure: true });
  const trust: Trust = { ca: authority?.pem };
  const target = { ...(await read(trust)), authority };
  compareFingerprint(context.out, url, offeredTo(name, target), fingerprint);
  return { target, ask: (path) => fetchText(url + path, trust) };
}

function factsIn(url: string, answer: string): ClientFacts {
  const facts = parseFacts(answer);
  if (facts !== undefined) return facts;
  throw new CommandFailed(
    `What answers at ${url} is no Entrepot of this kind; correct --url, or leave it out to use the configuration here.`,
  );
}

interface Trust {
  readonly ca?: string | undefined;
  readonly insecure?: true;
}

async function fetchText(url: string, { ca, insecure }: Trust): Promise<string> {
  const signal = AbortSignal.timeout(answerMsMax);
  const trust = { ...(ca === undefined ? {} : { ca }), rejectUnauthorized: insecure !== true };
  const asking = url.startsWith('https:') ? getSecurely(url, { ...trust, signal }) : get(url, { signal });
  const [answer] = (await once(asking, 'response')) as [IncomingMessage];
  const body = await text(answer);
  if (answer.statusCode === 200) return body;
  throw new Error(`it answers ${answer.statusCode}`);
}
