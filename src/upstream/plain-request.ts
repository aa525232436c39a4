import { readFile } from 'node:fs/promises';
import type { Dispatcher } from 'undici';
import type { Clock } from '../observe/clock.ts';
import type { Environment } from './proxy.ts';
import { serviceDispatcher } from './service-dispatcher.ts';
import { authorities } from './services.ts';
import { loadUndici } from './undici.ts';

/** A request to a service that the operator named, which is no registry. */
export interface PlainRequest {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface PlainAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

export interface PlainOptions {
  /** Ours, told as `entrepot/<version>`. */
  readonly version: string;
  /** A PEM file with further certificate authorities, read for each connection. */
  readonly caPath: string | undefined;
  readonly environment: Environment;
  readonly clock: Clock;
}

export interface PlainRequests extends AsyncDisposable {
  /** Asks once, follows nothing, and reads answers that are small. Rejects when there is none. */
  readonly send: (request: PlainRequest, signal: AbortSignal) => Promise<PlainAnswer>;
}

/** For what is waited for without anybody watching. */
const limits = { headersTimeout: 30_000, bodyTimeout: 30_000, maxResponseSize: 1024 * 1024 };

export function createPlainRequests({ version, caPath, environment, clock }: PlainOptions): PlainRequests {
  let dispatcher: Dispatcher | undefined;
  const ca = async (): Promise<readonly string[]> => {
    return caPath === undefined ? authorities() : [...authorities(), await readFile(caPath, 'utf8')];
  };
  const close = async (): Promise<void> => {
    const closed = dispatcher;
    dispatcher = undefined;
    await closed?.destroy();
  };
  return {
    async send({ method, url, headers, body }, signal) {
      const undici = await loadUndici();
      dispatcher ??= serviceDispatcher(undici, { environment, clock, ca }, limits);
      try {
        const all = { 'user-agent': `entrepot/${version}`, ...headers };
        const answer = await undici.request(url, { method, headers: all, body: body ?? null, dispatcher, signal });
        const fields = Object.entries(answer.headers).map(([name, value]) => [name, [value].flat()[0]] as const);
        return { status: answer.statusCode, headers: Object.fromEntries(fields), body: await answer.body.text() };
      } catch (error) {
        await close();
        throw error;
      }
    },
    [Symbol.asyncDispose]: close,
  };
}
