import { connect } from 'node:net';
import { getCACertificates } from 'node:tls';
import type { Dispatcher } from 'undici';
import type { Clock } from '../observe/clock.ts';
import type { Environment } from './proxy.ts';
import { serviceDispatcher } from './service-dispatcher.ts';
import { loadUndici } from './undici.ts';

/** Services that are no registries: the operator names each by its URL, and nobody else can. */
export interface Services extends AsyncDisposable {
  /** Never rejects. */
  ask(question: ServiceQuestion): Promise<ServiceAnswer>;
  /** Connects, and leaves. Tells why it cannot; `undefined` when it can. Never rejects. */
  reach(place: ServicePlace, signal: AbortSignal): Promise<string | undefined>;
}

export interface ServicePlace {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
}

export interface ServiceQuestion {
  readonly url: string;
  readonly method: 'POST' | 'HEAD';
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly body?: string;
  /** For the whole of it. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export type ServiceAnswer =
  | { readonly status: number }
  /** There was no answer, and why. */
  | { readonly status: undefined; readonly problem: string };

const redirectsMax = 5;
/** Of an answer's body, whose words nobody reads, in bytes. */
const answerBytesMax = 64 * 1024;

export function createServices(clock: Clock, environment: Environment): Services {
  let made: Dispatcher | undefined;
  const dispatcher = async (): Promise<Dispatcher> => {
    const undici = await loadUndici();
    return (made ??= serviceDispatcher(undici, { environment, clock, ca: async () => authorities() }));
  };
  return {
    async ask(question) {
      const { timeoutMs, signal } = question;
      const late = new AbortController();
      const timer = clock.setTimer(timeoutMs, () => late.abort(new Error(`no answer within ${timeoutMs} ms`)));
      const ending = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]);
      try {
        return { status: await send(await dispatcher(), question, ending) };
      } catch (error) {
        return { status: undefined, problem: reasonOf(late.signal.aborted ? late.signal.reason : error) };
      } finally {
        timer.cancel();
      }
    },
    reach: (place, signal) => reach(place, clock, signal),
    async [Symbol.asyncDispose]() {
      await made?.close();
    },
  };
}

async function send(dispatcher: Dispatcher, question: ServiceQuestion, signal: AbortSignal): Promise<number> {
  const { method, body } = question;
  const { interceptors } = await loadUndici();
  const { origin, pathname, search } = new URL(question.url);
  // What is the operator's own stays with the host that he named.
  const stripHeadersOnCrossOriginRedirect = Object.keys(question.headers).filter((name) => !isOurs(name));
  const redirecting = interceptors.redirect({ maxRedirections: redirectsMax, stripHeadersOnCrossOriginRedirect });
  const answer = await dispatcher.compose(redirecting).request({
    origin,
    path: `${pathname}${search}`,
    method,
    headers: { 'user-agent': 'entrepot', ...mutable(question.headers) },
    body: body ?? null,
    signal,
  });
  await answer.body.dump({ limit: answerBytesMax, signal });
  return answer.statusCode;
}

function isOurs(name: string): boolean {
  return ['content-type', 'user-agent'].includes(name.toLowerCase());
}

function mutable(headers: ServiceQuestion['headers']): Record<string, string[]> {
  return Object.fromEntries(Object.entries(headers).map(([name, values]) => [name.toLowerCase(), [...values]]));
}

async function reach(
  { host, port, timeoutMs }: ServicePlace,
  clock: Clock,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const socket = connect({ host, port });
  const timer = clock.setTimer(timeoutMs, () => resolve(`no answer within ${timeoutMs} ms`));
  const abort = (): void => resolve('interrupted');
  signal.addEventListener('abort', abort, { once: true });
  socket.once('connect', () => resolve(undefined));
  socket.once('error', (error) => resolve(reasonOf(error)));
  const problem = await promise;
  timer.cancel();
  signal.removeEventListener('abort', abort);
  socket.destroy();
  return problem;
}

/** The machine's own, too, as Go's client does. Reading them takes a moment, so only for whoever needs them. */
export function authorities(): readonly string[] {
  return [...getCACertificates('default'), ...getCACertificates('system')];
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  return error.message === '' ? code : error.message;
}
