import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { get as getSecurely } from 'node:https';
import { text } from 'node:stream/consumers';
import type { AuthorityView } from '../admin/views.ts';
import { parseFacts, targetAt } from '../clients/facts.ts';
import type { ClientFacts } from '../clients/facts.ts';
import type { ClientTarget } from '../clients/target.ts';
import { loadConfig } from '../config/load.ts';
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
export async function findTarget(context: Context, options: TargetOptions): Promise<FoundTarget> {
  const { url } = options;
  if (url === undefined || options.config !== undefined || options.offline === true) {
    return await configured(context, options);
  }
  try {
    return await asked(context, url, options.fingerprint);
  } catch (error) {
    if (error instanceof CommandFailed) throw error;
    const why = error instanceof Error ? error.message : String(error);
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

/** A server whose authority this machine does not know yet is asked for it, and then held to it. */
async function asked(context: Context, url: string, fingerprint: string | undefined): Promise<FoundTarget> {
  const path = '/setup/client.json';
  const facts = factsIn(url, await fetchText(url + path, { insecure: true }));
  const target = targetAt(url, facts);
  const pem = target.authority?.pem;
  if (pem === undefined) {
    if (fingerprint !== undefined) {
      throw new CommandFailed(`${url} has no CA of its own; leave --fingerprint out, or give the https:// URL.`);
    }
    factsIn(url, await fetchText(url + path, {}));
    return { target, ask: (each) => fetchText(url + each, {}) };
  }
  const prints = fingerprintsOf(pem);
  if (fingerprint !== undefined && !prints.includes(bare(fingerprint))) {
    throw new CommandFailed(
      `The CA of ${url} has the fingerprint ${spelled(prints)}, not the one that was given: do not trust it before you know why.`,
    );
  }
  await fetchText(url + path, { ca: pem });
  if (fingerprint === undefined) {
    context.out.note(
      `The CA of ${url} has the fingerprint ${spelled(prints)}; compare: entrepot ca server, there.\n\n`,
    );
  }
  return { target, ask: (each) => fetchText(url + each, { ca: pem }) };
}

function factsIn(url: string, answer: string): ClientFacts {
  const facts = parseFacts(answer);
  if (facts !== undefined) return facts;
  throw new CommandFailed(
    `What answers at ${url} is no Entrepot of this kind; correct --url, or leave it out to use the configuration here.`,
  );
}

/** One a certificate. */
function fingerprintsOf(pem: string): readonly string[] {
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return certificates.map((each) => bare(new X509Certificate(each).fingerprint256));
}

function bare(fingerprint: string): string {
  return fingerprint.replaceAll(':', '').toLowerCase();
}

function spelled(prints: readonly string[]): string {
  return prints.map((each) => each.toUpperCase().replaceAll(/..(?!$)/g, '$&:')).join(' or ');
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
