import { Transform } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { LoggedRequest } from './log.ts';

/** What to do to requests that match; everything left out matches. The first match counts. */
export interface FaultRule {
  readonly name: string;
  readonly host?: RegExp;
  readonly method?: RegExp;
  readonly path?: RegExp;
  /** Let this many pass first. */
  readonly skip?: number;
  /** Then hit this many. */
  readonly times?: number;
  readonly fault: Fault;
}

export type Fault =
  /** Instead of an answer. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string;
    }
  | { readonly kind: 'redirect'; readonly to: string }
  | { readonly kind: 'hang' }
  | { readonly kind: 'reset' }
  /** Before the answer. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** In the head of the answer; `undefined` takes a header away. */
  | { readonly kind: 'headers'; readonly headers: Record<string, string | undefined> }
  | { readonly kind: 'ignore range' }
  /** In the body of the answer. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  | { readonly kind: 'stall'; readonly afterBytes: number }
  | { readonly kind: 'slow'; readonly bytesPerSecond: number }
  | { readonly kind: 'corrupt'; readonly byteAt: number };

/** The rules in force. */
export class Faults {
  #rules: readonly { readonly rule: FaultRule; seen: number }[] = [];

  set(rules: readonly FaultRule[]): void {
    this.#rules = rules.map((rule) => ({ rule, seen: 0 }));
  }

  /** The fault for a request, which is noted in its log entry. */
  match(entry: LoggedRequest): Fault | undefined {
    for (const candidate of this.#rules) {
      const { host, method, path, skip = 0, times = Infinity, fault, name } = candidate.rule;
      if (host !== undefined && !host.test(entry.host)) continue;
      if (method !== undefined && !method.test(entry.method)) continue;
      if (path !== undefined && !path.test(entry.path)) continue;
      candidate.seen++;
      if (candidate.seen <= skip || candidate.seen > skip + times) continue;
      entry.fault = name;
      return fault;
    }
    return undefined;
  }
}

/** The part of a fault that befalls the body, as a stream between back end and client. */
export function bodyFault(fault: Fault | undefined): Transform | undefined {
  switch (fault?.kind) {
    case 'cut':
      return upTo(fault.afterBytes, (stream) => stream.destroy(new Error('cut')));
    case 'stall':
      return upTo(fault.afterBytes, () => undefined);
    case 'slow':
      return slowly(fault.bytesPerSecond);
    case 'corrupt':
      return flip(fault.byteAt);
    default:
      return undefined;
  }
}

function upTo(limitBytes: number, then: (stream: Transform) => void): Transform {
  let passed = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const part = chunk.subarray(0, limitBytes - passed);
      passed += part.length;
      this.push(part);
      if (passed < limitBytes) done();
      // Not done: nothing more is taken in. What was passed on gets a moment to leave before the end comes.
      else setTimeout(then, 50, this);
    },
  });
}

function slowly(bytesPerSecond: number): Transform {
  const ticksPerSecond = 20;
  const stepBytes = Math.max(1, Math.floor(bytesPerSecond / ticksPerSecond));
  return new Transform({
    async transform(chunk: Buffer, _encoding, done) {
      for (let offset = 0; offset < chunk.length; offset += stepBytes) {
        await delay(1000 / ticksPerSecond);
        this.push(chunk.subarray(offset, offset + stepBytes));
      }
      done();
    },
  });
}

function flip(byteAt: number): Transform {
  let passed = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const at = byteAt - passed;
      passed += chunk.length;
      if (at < 0 || at >= chunk.length) {
        done(null, chunk);
        return;
      }
      const wrong = Buffer.from(chunk);
      wrong[at] = (wrong[at] ?? 0) ^ 0xff;
      done(null, wrong);
    },
  });
}
