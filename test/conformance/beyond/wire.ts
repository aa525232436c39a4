/** A client that writes down what it said and heard, and insists on the status that it was told to expect. */
import assert from 'node:assert/strict';
import { get } from '../../support/client.ts';
import type { Answer } from '../../support/client.ts';

export type Repository = 'conformance/three' | 'conformance/four';

export interface Asked {
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: Buffer;
  /** Sent without a length, as a client that does not know it does. */
  readonly streamed?: boolean;
}

const bodyCharactersMax = 400;

export class Wire {
  readonly #origin: string;
  #exchanges = '';

  constructor(origin: string) {
    this.#origin = origin;
  }

  get exchanges(): string {
    return this.#exchanges.trimEnd();
  }

  /** `target`: a path, or what a Location said. Throws unless the status is one of `expected`. */
  async ask(method: string, target: string, expected: number | readonly number[], asked: Asked = {}): Promise<Answer> {
    const url = new URL(target, this.#origin);
    for (const [name, values] of Object.entries(asked.query ?? {}))
      for (const value of [values].flat()) url.searchParams.append(name, value);
    const { body } = asked;
    const framing = framingOf(method, body, asked.streamed === true);
    const answer = await get(url.href, {
      method,
      headers: { ...framing, ...asked.headers },
      ...(body ? { body } : {}),
    });
    this.#record(method, url, asked, answer);
    const allowed = [expected].flat();
    assert.ok(
      allowed.includes(answer.status),
      `${method} ${url.pathname}: ${answer.status}, expected ${allowed.join(' or ')}`,
    );
    return answer;
  }

  #record(method: string, url: URL, { headers = {}, body }: Asked, answer: Answer): void {
    const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    const sent = body === undefined ? [] : [`(${body.length} bytes)`];
    const received = Object.entries(answer.headers).map(([name, value]) => `${name}: ${String(value)}`);
    const said = [`${method} ${url.pathname}${url.search}`, ...fields, ...sent];
    const heard = [String(answer.status), ...received, answer.body.toString('utf8').slice(0, bodyCharactersMax)];
    this.#exchanges += `${said.join('\n')}\n--\n${heard.join('\n')}\n\n`;
  }
}

function framingOf(method: string, body: Buffer | undefined, streamed: boolean): Record<string, string> {
  if (streamed) return { 'Transfer-Encoding': 'chunked' };
  return ['POST', 'PUT', 'PATCH'].includes(method) ? { 'Content-Length': String(body?.length ?? 0) } : {};
}

/** The header's one value. Throws if it is missing. */
export function header(answer: Answer, name: string): string {
  const value = answer.headers[name];
  assert.ok(typeof value === 'string', `the answer has no ${name}`);
  return value;
}

export function hasDigest(answer: Answer, digest: string): void {
  assert.equal(header(answer, 'docker-content-digest'), digest);
}
