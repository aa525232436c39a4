import { destination } from 'pino';
import type { Clock, Timer } from './clock.ts';

/** Where lines go. `write` never waits and never throws: what tells about the work must not stop the work. */
export interface Sink {
  /** One or more whole lines, each with its newline. */
  write(lines: string): void;
  /** Everything written so far is with the operating system when it returns. For the way out. */
  flushSync(): void;
  /** Lines that were lost because nobody read them fast enough, or at all. */
  readonly droppedLines: number;
}

/** Bytes that wait for a slow reader of our log; what comes on top of them is dropped and counted. */
const waitingBytesMax = 8 * 1024 * 1024;

/** A file descriptor, written in the background. */
export function descriptorSink(fd: number): Sink {
  const boom = destination({ dest: fd, sync: false, maxLength: waitingBytesMax });
  let dropped = 0;
  let broken = false;
  boom.on('drop', (lines: string) => (dropped += countLines(lines)));
  // The reader went away (EPIPE). Nobody is left to be told; the service goes on.
  boom.on('error', () => (broken = true));
  return {
    write(lines) {
      if (broken) dropped += countLines(lines);
      else boom.write(lines);
    },
    flushSync() {
      if (broken) return;
      try {
        boom.flushSync();
      } catch {
        broken = true;
      }
    },
    get droppedLines() {
      return dropped;
    },
  };
}

/** How long a line may wait for company, in milliseconds, and how much company is enough, in characters. */
const lingerMs = 200;
const batchCharactersMax = 15 * 1024;

/**
 * Gathers lines and hands them on together: a system call for each of twenty thousand lines a second would cost more
 * than the answers that they tell about.
 */
export function batched(sink: Sink, clock: Clock): Sink {
  let waiting = '';
  let timer: Timer | undefined;
  const hand = (): void => {
    timer?.cancel();
    timer = undefined;
    const lines = waiting;
    waiting = '';
    if (lines !== '') sink.write(lines);
  };
  return {
    write(lines) {
      waiting += lines;
      if (waiting.length >= batchCharactersMax) hand();
      else timer ??= clock.setTimer(lingerMs, hand);
    },
    flushSync() {
      hand();
      sink.flushSync();
    },
    get droppedLines() {
      return sink.droppedLines;
    },
  };
}

function countLines(lines: string): number {
  return lines.split('\n').length - 1;
}
