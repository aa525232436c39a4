/**
 * What an upstream was asked and what it sent. The product's promises are numbers, and this is where they are read.
 */
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { Waiters } from './waiters.ts';

/** The origins that one registry spreads over: itself, its token service, its content delivery network. */
export type HostIdentity = 'registry' | 'token' | 'cdn';

export type AuthorizationKind = 'none' | 'basic' | 'bearer' | 'other';

/** One request. It is in the ledger from the moment its headers arrive. */
export interface Entry {
  readonly number: number;
  readonly host: HostIdentity;
  readonly method: string;
  /** With its query, as sent. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly authorization: AuthorizationKind;
  readonly range: string | undefined;
  /** The body of a POST, once it was read. */
  body: string;
  status: number | undefined;
  /** The blob or manifest that was served, if one was. */
  digest: string | undefined;
  /** Which offset of that content the first byte of the body is. */
  start: number;
  /** Body bytes that left this process. */
  bytesSent: number;
  /** `aborted`: the client left before the end; `broken`: a fault or `down` ended it. */
  outcome: 'open' | 'finished' | 'aborted' | 'broken';
}

/** Which requests are meant; an empty filter means all. */
export interface Filter {
  readonly host?: HostIdentity;
  readonly method?: string;
  /** Text that the path (with its query) contains, or an expression that it matches. */
  readonly path?: string | RegExp;
  readonly status?: number;
  readonly authorization?: AuthorizationKind;
}

export interface Transferred {
  /** Body bytes sent for this digest in all. */
  readonly sent: number;
  /** Different bytes among them: equal to `sent` if no byte was sent twice. */
  readonly distinct: number;
  /** `[start, end)` of each stretch of the content that was sent, merged and in order. */
  readonly extents: readonly (readonly [number, number])[];
  /** How many bodies they came in. */
  readonly transfers: number;
}

export class Ledger {
  #entries: Entry[] = [];
  #forbiddenFrom: number | undefined;
  #count = 0;
  readonly #waiters = new Waiters();

  /** Everything since the last `reset`. */
  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** How many requests there were of this kind. */
  count(filter: Filter = {}): number {
    return this.matching(filter).length;
  }

  matching(filter: Filter): Entry[] {
    return this.#entries.filter((entry) => matches(entry, filter));
  }

  /** What was sent of one blob or manifest, over all hosts and routes. */
  blobBytes(digest: string): Transferred {
    const bodies = this.#entries.filter((entry) => entry.digest === digest && entry.bytesSent > 0);
    const extents = merge(bodies.map((entry) => [entry.start, entry.start + entry.bytesSent] as const));
    return {
      sent: bodies.reduce((sum, entry) => sum + entry.bytesSent, 0),
      distinct: extents.reduce((sum, [start, end]) => sum + end - start, 0),
      extents,
      transfers: bodies.length,
    };
  }

  /** Whether this text (a password, a token) arrived anywhere: in a path, a header, a body, or inside Basic credentials. */
  saw(text: string): boolean {
    return this.#entries.some((entry) => {
      const basic = /^basic (.+)$/i.exec(entry.headers.authorization ?? '')?.[1] ?? '';
      const decoded = Buffer.from(basic, 'base64').toString();
      return [entry.path, JSON.stringify(entry.headers), entry.body, decoded].some((place) => place.includes(text));
    });
  }

  /** Forgets the entries and lifts `forbid`. Bodies still being sent are not followed into the new count. */
  reset(): void {
    this.#entries = [];
    this.#forbiddenFrom = undefined;
  }

  /** One line a request, for the message of an assertion. */
  summary(): string {
    return this.#entries.map(line).join('\n');
  }

  /** Resolves when this many such requests have arrived since the last `reset`. */
  arrived(filter: Filter, count = 1): Promise<void> {
    return this.#waiters.until(() => this.count(filter) >= count);
  }

  /** Resolves when no such request is open. */
  settled(filter: Filter = {}): Promise<void> {
    return this.#waiters.until(() => this.matching(filter).every((entry) => entry.outcome !== 'open'));
  }

  /** From here on every request is one too many. */
  forbid(): void {
    this.#forbiddenFrom = this.#count;
  }

  get forbidding(): boolean {
    return this.#forbiddenFrom !== undefined;
  }

  /** Throws, naming the requests, if any came after `forbid`. */
  assertUntouched(): void {
    const from = this.#forbiddenFrom;
    assert.ok(from !== undefined, 'assertUntouched needs a forbid() before it');
    const late = this.#entries.filter((entry) => entry.number >= from);
    assert.equal(
      late.length,
      0,
      `the upstream was asked though nothing should have reached it:\n${late.map(line).join('\n')}`,
    );
  }

  /** For the upstream itself: enters a request that has just arrived. */
  open(host: HostIdentity, request: IncomingMessage): Entry {
    const entry: Entry = {
      number: this.#count++,
      host,
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      authorization: kindOf(request.headers.authorization),
      range: request.headers.range,
      body: '',
      status: undefined,
      digest: undefined,
      start: 0,
      bytesSent: 0,
      outcome: 'open',
    };
    this.#entries.push(entry);
    this.#waiters.look();
    return entry;
  }

  /** For the upstream itself: the exchange is over. */
  close(entry: Entry, outcome: 'finished' | 'aborted' | 'broken'): void {
    if (entry.outcome === 'open') entry.outcome = outcome;
    this.#waiters.look();
  }
}

export function matches(entry: Entry, filter: Filter): boolean {
  const { path } = filter;
  return (
    (filter.host === undefined || entry.host === filter.host) &&
    (filter.method === undefined || entry.method === filter.method) &&
    (filter.status === undefined || entry.status === filter.status) &&
    (filter.authorization === undefined || entry.authorization === filter.authorization) &&
    (path === undefined || (typeof path === 'string' ? entry.path.includes(path) : path.test(entry.path)))
  );
}

function merge(extents: (readonly [number, number])[]): (readonly [number, number])[] {
  const merged: [number, number][] = [];
  for (const [start, end] of extents.toSorted((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else merged.push([start, end]);
  }
  return merged;
}

function kindOf(authorization: string | undefined): AuthorizationKind {
  if (authorization === undefined) return 'none';
  const scheme = authorization.split(' ', 1)[0]?.toLowerCase();
  return scheme === 'basic' || scheme === 'bearer' ? scheme : 'other';
}

function line(entry: Entry): string {
  const range = entry.range ? ` ${entry.range}` : '';
  const to = `${entry.host} ${entry.method} ${entry.path}${range}`;
  return `#${entry.number} ${to} (${entry.authorization}) -> ${entry.status ?? 'no answer'}, ${entry.bytesSent} bytes, ${entry.outcome}`;
}
