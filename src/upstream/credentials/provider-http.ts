import type { HttpClient, Outgoing } from '../client.ts';
import { collect } from '../collect.ts';

/** Requests to a cloud's own services. */
export interface ProviderHttp {
  /** @throws RegistryError when there is no answer */
  ask(request: ProviderRequest): Promise<ProviderAnswer>;
}

export interface ProviderRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** For messages: `AWS's metadata service`. */
  readonly whom: string;
}

export interface ProviderAnswer {
  readonly status: number;
  readonly text: string;
}

const answerBytesMax = 256 * 1024;

/** Never follows a redirect: what these services are sent is worth more than what they answer. */
export function providerHttp(client: HttpClient): ProviderHttp {
  return {
    async ask({ method, url, headers, body, whom }) {
      const outgoing: Outgoing = {
        url: new URL(url),
        method,
        headers,
        ...(body === undefined ? {} : { body }),
        kind: 'token',
        role: 'token',
        subject: whom,
        withCredentials: true,
        small: true,
      };
      const collected = collect(answerBytesMax);
      const { status } = await client.send(outgoing, collected.receiver);
      const answer = collected.body();
      if (answer === undefined) throw new Error(`${whom} answered more than ${answerBytesMax} bytes`);
      return { status, text: answer.toString() };
    },
  };
}

/**
 * The members of a JSON object in a good answer.
 * @throws Error otherwise
 */
export function jsonOf({ status, text }: ProviderAnswer, whom: string): Readonly<Record<string, unknown>> {
  if (status !== 200) throw new Error(`${whom} refused (${status})`);
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value));
  } catch {
    // Told below.
  }
  throw new Error(`${whom} did not answer in JSON`);
}

/** @throws Error when it is missing */
export function textIn(fields: Readonly<Record<string, unknown>>, name: string, whom: string): string {
  const value = fields[name];
  if (typeof value !== 'string' || value === '') throw new Error(`${whom} answered without ${name}`);
  return value;
}

/** The number of seconds in a field, which Azure sends as text. */
export function secondsIn(fields: Readonly<Record<string, unknown>>, name: string, otherwise: number): number {
  const value = Number(fields[name]);
  return Number.isFinite(value) && value > 0 ? value : otherwise;
}
