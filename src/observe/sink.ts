import { write, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Clock, Timer } from './clock.ts';

/** Where lines go. `write` never waits and never throws: what tells about the work must not stop the work. */
export interface Sink {
  /** One or more whole lines, each with its newline. */
  write(lines: string): void;
  /** Resolves when everything written so far is with the operating system, or lost. */
  flush(): Promise<void>;
  /** The same in a process that is about to end and cannot wait; what is being written at that moment may be lost. */
  flushSync(): void;
  /** Lines that were lost because nobody read them fast enough, or at all. */
  readonly droppedLines: number;
}

/** Characters that wait for a slow reader of our log; what comes on top of them is dropped and counted. */
const waitingCharactersMax = 8 * 1024 * 1024;
/** Handed to the operating system at once, in bytes: what a pipe takes. */
const writeBytesMax = 64 * 1024;
/** A pipe that is full is tried again after so many milliseconds. */
const fullMs = 5;

const writeSome = promisify(write);

/** A file descriptor, written in the background, in order. */
export function descriptorSink(fd: number, clock: Clock): Sink {
  return new DescriptorSink(fd, clock);
}

class DescriptorSink implements Sink {
  droppedLines = 0;
  readonly #fd: number;
  readonly #clock: Clock;
  #waiting = '';
  #writing: Promise<void> | undefined;
  #broken = false;

  constructor(fd: number, clock: Clock) {
    this.#fd = fd;
    this.#clock = clock;
  }

  write(lines: string): void {
    if (this.#broken || this.#waiting.length + lines.length > waitingCharactersMax)
      this.droppedLines += countLines(lines);
    else this.#waiting += lines;
    if (this.#waiting !== '') this.#writing ??= this.#writeAll();
  }

  async flush(): Promise<void> {
    await this.#writing;
  }

  flushSync(): void {
    const lines = this.#waiting;
    this.#waiting = '';
    if (this.#broken || lines === '') return;
    try {
      writeSync(this.#fd, lines);
    } catch {
      this.droppedLines += countLines(lines);
    }
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting !== '') {
      const bytes = Buffer.from(this.#waiting);
      this.#waiting = '';
      for (let at = 0; at < bytes.length && !this.#broken;) at += await this.#writeSome(bytes.subarray(at));
    }
    this.#writing = undefined;
  }

  /** Resolves to the number of bytes that were taken. */
  async #writeSome(bytes: Buffer): Promise<number> {
    try {
      return (await writeSome(this.#fd, bytes, 0, Math.min(bytes.length, writeBytesMax))).bytesWritten;
    } catch (error) {
      if (isFull(error)) await this.#clock.sleep(fullMs);
      // The reader went away (EPIPE), the disk is full: nobody can be told here; the service goes on.
      else this.#giveUp(bytes);
      return 0;
    }
  }

  #giveUp(bytes: Buffer): void {
    this.#broken = true;
    this.droppedLines += countLines(bytes.toString()) + countLines(this.#waiting);
    this.#waiting = '';
  }
}

function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN';
}

/** How long a line may wait for company, in milliseconds, and how much company is enough, in characters. */
const lingerMs = 200;
const batchCharactersMax = 60 * 1024;

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
    async flush() {
      hand();
      await sink.flush();
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
