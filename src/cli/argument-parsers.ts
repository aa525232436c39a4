import { InvalidArgumentError } from '@commander-js/extra-typings';
import { parseFiniteDuration } from '../config/value/duration.ts';
import { parseGlob } from '../config/value/glob.ts';
import { ValueError } from '../config/value/value-error.ts';

/**
 * A path that is not empty: where one was meant to come out of an unset variable of the shell, nothing else is taken.
 * @throws InvalidArgumentError
 */
export function pathOf(text: string): string {
  if (text === '') throw new InvalidArgumentError('It is empty; write a path, or leave it out.');
  return text;
}

/**
 * In milliseconds.
 * @throws InvalidArgumentError
 */
export function durationOf(text: string): number {
  return valueOf(text, parseFiniteDuration);
}

/** @throws InvalidArgumentError */
export function globOf(text: string): string {
  return valueOf(text, parseGlob);
}

function valueOf<T>(text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof ValueError) throw new InvalidArgumentError(`${error.message}.`);
    throw error;
  }
}
