import { randomUUID } from 'node:crypto';
import { Agent, request as httpRequest } from 'node:http';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Transform } from 'node:stream';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { backendPorts, pushedPort, pushedPrefix } from '../lab/backends.ts';
import { bodyFault } from './faults.ts';
import type { Fault, Faults } from './faults.ts';
import type { LoggedRequest, RequestLog } from './log.ts';
import { sites } from './sites.ts';
import type { Site } from './sites.ts';
import { challenge, respondJson, Tokens } from './tokens.ts';

/** Decides what a request gets, as the site that it names would. */
export class Answerer {
  readonly #log: RequestLog;
  readonly #faults: Faults;
  readonly tokens = new Tokens();
  readonly #agent = new Agent({ keepAlive: true });

  constructor(log: RequestLog, faults: Faults) {
    this.#log = log;
    this.#faults = faults;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const entry = this.#log.open(describe(request));
    response.once('close', () => {
      entry.status = response.headersSent ? response.statusCode : 0;
      this.#log.close(entry, response.writableFinished ? 'complete' : 'cut');
    });
    const fault = this.#faults.match(entry);
    if (fault !== undefined && (await misbehave(fault, request, response))) return;
    const site = sites[entry.host];
    if (site === undefined) respondJson(response, 404, { message: `the fake internet has no ${entry.host}` });
    else await this.#serve(site, { request, response, entry, fault });
  }

  close(): void {
    this.#agent.destroy();
  }

  async #serve(site: Site, exchange: Exchange): Promise<void> {
    const { request, response, entry } = exchange;
    if (entry.path === site.tokens?.path) return this.tokens.issue(site, request, response, entry.query);
    if (site.signed === true && !new URLSearchParams(entry.query).has('signature')) {
      response.writeHead(403).end('missing signature');
      return;
    }
    const repository = repositoryOf(entry.path);
    const action = request.method === 'GET' || request.method === 'HEAD' ? 'pull' : 'push';
    const { authorization } = request.headers;
    if (site.challenge !== undefined && !this.tokens.allows(authorization, repository, action)) {
      challenge(site, response, { repository, action, error: this.tokens.wrongWith(authorization) });
      return;
    }
    if (site.moved !== undefined && repository !== undefined) {
      const path = entry.path.replace('/v2/', `/v2/${site.moved.prefix}`);
      redirect(response, 307, `https://${site.moved.host}${path}`);
      return;
    }
    if (site.blobs !== undefined && request.method === 'GET' && entry.path.includes('/blobs/sha256:')) {
      redirect(
        response,
        site.blobs.status,
        `https://${site.blobs.host}${entry.path}?signature=${randomUUID()}&expires=1200`,
      );
      return;
    }
    if (site.backend === undefined) return respondJson(response, 200, {});
    const port = repository?.startsWith(pushedPrefix) === true ? pushedPort : backendPorts[site.backend];
    await this.#forward(port, site.prefix ?? '', exchange);
  }

  async #forward(port: number, prefix: string, { request, response, entry, fault }: Exchange): Promise<void> {
    const { promise: answered, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const query = entry.query === '' ? '' : `?${entry.query}`;
    const path = entry.path.replace(`/v2/${prefix}`, '/v2/') + query;
    const headers = incoming(request, entry.host, fault);
    const asked = httpRequest({ host: '127.0.0.1', port, method: request.method, path, headers, agent: this.#agent })
      .once('response', resolve)
      .once('error', reject);
    pipeline(request, asked).catch(reject);
    const answer = await answered;
    entry.digest = header(answer, 'docker-content-digest');
    response.writeHead(answer.statusCode ?? 502, outgoing(answer, fault));
    await send(answer, response, entry, fault);
  }
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly entry: LoggedRequest;
  readonly fault: Fault | undefined;
}

function describe(request: IncomingMessage) {
  const { authorization, range, host } = request.headers;
  const [path = '/', query = ''] = (request.url ?? '/').split('?');
  return {
    host: header(request, ':authority') ?? host ?? '',
    method: request.method ?? 'GET',
    path,
    query,
    range,
    authorization: authorization?.split(' ')[0],
    userAgent: request.headers['user-agent'],
    http: request.httpVersion,
  };
}

/** Carries out a fault that comes before or instead of an answer; true if there is nothing left to answer. */
async function misbehave(fault: Fault, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
  switch (fault.kind) {
    case 'status':
      response.writeHead(fault.status, fault.headers).end(request.method === 'HEAD' ? undefined : (fault.body ?? '{}'));
      return true;
    case 'redirect':
      redirect(response, 307, fault.to);
      return true;
    case 'hang':
      return true;
    case 'reset':
      request.socket.destroy();
      return true;
    case 'delay':
      await delay(fault.ms);
      return false;
    default:
      return false;
  }
}

function redirect(response: ServerResponse, status: number, location: string): void {
  response.writeHead(status, { location, 'content-length': 0 }).end();
}

function repositoryOf(path: string): string | undefined {
  return /^\/v2\/(.+)\/(?:manifests|blobs|tags|referrers)\//.exec(path)?.[1];
}

/** As a proxy says them to the registry behind it. */
function incoming({ headers }: IncomingMessage, host: string, fault: Fault | undefined): OutgoingHttpHeaders {
  const kept = ['accept', 'content-type', 'content-length', 'content-range'];
  if (fault?.kind !== 'ignore range') kept.push('range');
  const said = kept.filter((name) => headers[name] !== undefined).map((name) => [name, headers[name]]);
  return { ...Object.fromEntries(said), host, 'x-forwarded-proto': 'https' };
}

function outgoing(answer: IncomingMessage, fault: Fault | undefined): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = { ...answer.headers };
  for (const hopByHop of ['connection', 'keep-alive', 'transfer-encoding']) delete headers[hopByHop];
  if (fault?.kind === 'headers') Object.assign(headers, fault.headers);
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
}

/** Streams a body; a client that leaves, or a fault that cuts it, ends it for both sides. */
async function send(
  body: Readable,
  response: ServerResponse,
  entry: LoggedRequest,
  fault: Fault | undefined,
): Promise<void> {
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      entry.bytes += chunk.length;
      done(null, chunk);
    },
  });
  const wrong = bodyFault(fault);
  const right = wrong === undefined ? [count] : [wrong, count];
  await pipeline([body, ...right, response]).catch(() => response.destroy());
}

function header(message: IncomingMessage, name: string): string | undefined {
  const value = message.headers[name];
  return typeof value === 'string' ? value : undefined;
}
