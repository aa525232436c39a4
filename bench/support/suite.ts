/**
 * What a suite is given and what it gives back. A suite measures; `report.ts` judges and prints.
 */
import type { Machine } from './subjects.ts';

export interface Suite {
  readonly name: string;
  /** A sentence for `--help`. */
  readonly about: string;
  run(bench: Bench): Promise<readonly Row[]>;
}

export interface Bench {
  /** Less of everything: for every change, in minutes. */
  readonly short: boolean;
  readonly machine: Machine;
  /** A directory of this suite's own, removed afterwards. */
  readonly directory: string;
  /** Says on the terminal what is going on. */
  readonly say: (progress: string) => void;
}

/** One line of the table. */
export interface Row {
  readonly what: string;
  readonly unit: Unit;
  /** What each server reached, the subject's first. */
  readonly values: Readonly<Partial<Record<string, number>>>;
  /** Without a bar the row is only worth knowing. */
  readonly bar?: Bar | undefined;
}

export type Unit =
  | 's/GiB'
  | 'us/request'
  | 'GB/s'
  | 'requests/s'
  | 'ms'
  | 's'
  | 'MiB'
  | 'bytes'
  | 'requests'
  | 'failures';

export interface Bar {
  /**
   * `timing`: depends on the machine and on who else is using it, so it fails a run only with `--strict`.
   * `count`: holds anywhere, so a miss always fails the run.
   */
  readonly kind: 'timing' | 'count';
  /** What is compared with the limit: the value itself, or its ratio to a peer's in the same run. */
  readonly of: 'value' | 'ratio';
  /** `undefined` when the peer is missing: then nothing can be said. */
  readonly measured: number | undefined;
  readonly atMost?: number;
  readonly atLeast?: number;
}

export function timing(measured: number, limit: Limit): Bar {
  return { kind: 'timing', of: 'value', measured, ...limit };
}

export function count(measured: number, limit: Limit): Bar {
  return { kind: 'count', of: 'value', measured, ...limit };
}

/** @param measured the subject's value over the peer's; `undefined` when the peer is missing */
export function ratio(measured: number | undefined, limit: Limit): Bar {
  return { kind: 'timing', of: 'ratio', measured, ...limit };
}

export type Limit = { readonly atMost: number } | { readonly atLeast: number };
