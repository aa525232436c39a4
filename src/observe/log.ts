import { pino } from 'pino';
import type { Logger } from 'pino';
import { accessLine } from './access-line.ts';
import type { LineFormat } from './access-line.ts';
import type { Clock } from './clock.ts';
import type { Event, Observer } from './events.ts';
import { sentenceOf } from './sentences.ts';
import type { Level, Sentence } from './sentences.ts';
import { batched, descriptorSink } from './sink.ts';
import type { Sink } from './sink.ts';
import { textLine } from './text-line.ts';

export interface LogOptions {
  readonly level: Level;
  readonly formatter: LineFormat;
  /** Added to every line. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly accessLog: boolean;
  readonly clock: Clock;
  /** Where the log and the access log go; standard error and standard output, as registry does. */
  readonly sinks?: { readonly log: Sink; readonly access: Sink };
}

/** The log, written from events. */
export interface Log extends Observer {
  /** Resolves when everything told so far is written. Call it last. */
  flush(): Promise<void>;
  /** The same in a process that is about to end and cannot wait. */
  flushSync(): void;
  /** Lines lost because nobody read them. */
  droppedLines(): number;
}

/** A line of the same kind is told again only after so many milliseconds. */
const quietMs = 10_000;
/** Kinds that are kept quiet at once. */
const quietKeysMax = 1000;

/** One line for each event worth one: a constant sentence plus the event's fields. */
export function createLog(options: LogOptions): Log {
  const { log, access } = options.sinks ?? {
    log: descriptorSink(2, options.clock),
    access: batched(descriptorSink(1, options.clock), options.clock),
  };
  const logger = createLogger(options, log);
  const toLine = options.accessLog ? accessLine(options.formatter, options.fields) : undefined;
  const admit = quietly(options.clock);
  return {
    emit(event) {
      if (toLine !== undefined && event.type === 'request.done') access.write(toLine(event, options.clock.now()));
      const sentence = sentenceOf(event);
      if (sentence === undefined || !logger.isLevelEnabled(sentence.level)) return;
      const omitted = admit(sentence);
      if (omitted === undefined) return;
      logger[sentence.level](fieldsOf(event, omitted), sentence.text);
    },
    async flush() {
      await Promise.all([access.flush(), log.flush()]);
    },
    flushSync() {
      access.flushSync();
      log.flushSync();
    },
    droppedLines: () => access.droppedLines + log.droppedLines,
  };
}

function createLogger(options: LogOptions, sink: Sink): Logger {
  const logstash = options.formatter === 'logstash';
  const now = (): string => new Date(options.clock.now()).toISOString();
  return pino(
    {
      level: options.level,
      base: { ...options.fields },
      messageKey: logstash ? 'message' : 'msg',
      timestamp: () => (logstash ? `,"@timestamp":"${now()}","@version":"1"` : `,"time":"${now()}"`),
      formatters: { level: (label) => ({ level: label }) },
    },
    options.formatter === 'text' ? { write: (line: string) => sink.write(textLine(line)) } : sink,
  );
}

/** The event's own fields. Its `message` is called `detail`: the message of a line is its sentence. */
function fieldsOf(event: Event, omitted: number): Record<string, unknown> {
  const { type, ...fields } = event;
  const named: Record<string, unknown> = { event: type };
  for (const [key, value] of Object.entries(fields))
    named[key] = typeof value === 'number' ? microseconds(value) : value;
  if ('message' in named) {
    named['detail'] = named['message'];
    delete named['message'];
  }
  if (omitted > 0) named['omittedLines'] = omitted;
  return named;
}

/** Durations are milliseconds with many digits after the point; whole numbers stay what they are. */
const microseconds = (value: number): number => Math.round(value * 1000) / 1000;

/** How many lines of the same kind were left out before this one; `undefined` when this one is left out as well. */
function quietly(clock: Clock): (sentence: Sentence) => number | undefined {
  const kinds = new Map<string, { untilMs: number; omitted: number }>();
  return ({ text, quietKey }) => {
    if (quietKey === undefined) return 0;
    const key = `${text} ${quietKey}`;
    const kind = kinds.get(key);
    const nowMs = clock.monotonic();
    if (kind !== undefined && nowMs < kind.untilMs) {
      kind.omitted += 1;
      return undefined;
    }
    kinds.delete(key);
    const oldest = kinds.size >= quietKeysMax ? kinds.keys().next().value : undefined;
    if (oldest !== undefined) kinds.delete(oldest);
    kinds.set(key, { untilMs: nowMs + quietMs, omitted: 0 });
    return kind?.omitted ?? 0;
  };
}
