import { z } from 'zod';
import { parseFiniteDuration, parseDuration, parsePositiveDuration, parseRegistryDuration } from '../value/duration.ts';
import { parseGlob } from '../value/glob.ts';
import { parseBandwidth, parseBytes, parseSizeLimit } from '../value/size.ts';
import { parsedBy, ValueError } from '../value/value-error.ts';

/**
 * The kinds of values that a key may have. A default is given with `prefault`, as one would write it in the file, so
 * that the reference, the JSON Schema and `entrepot config` show it that way.
 */
const textOrNumber = z.union([z.string(), z.number()]);

/** Milliseconds; "forever" is refused. */
export const duration = () => parsedBy(textOrNumber, parseFiniteDuration);

/** The same for a deadline; 0 is refused, too. */
export const timeout = () => parsedBy(textOrNumber, parsePositiveDuration);

/** Milliseconds; "forever" is `Infinity`. */
export const durationOrForever = () => parsedBy(textOrNumber, parseDuration);

/** Milliseconds; a number without a unit is nanoseconds, as in registry's own keys. */
export const registryDuration = () => parsedBy(textOrNumber, parseRegistryDuration);

export const bytes = () => parsedBy(textOrNumber, parseBytes);
export const sizeLimit = () => parsedBy(textOrNumber, parseSizeLimit);
export const bandwidth = () => parsedBy(textOrNumber, parseBandwidth);

export const flag = () => z.boolean();
export const text = () => parsedBy(z.string(), notEmpty);
export const count = (min: number, max: number) => z.int().min(min).max(max);

/** A list; a single text is a list of one. */
export const list = () => parsedBy(oneOrMany(), (items) => items.map(notEmpty));

/** A list whose items `parse` reads. */
export const listOf = <Item>(parse: (item: string) => Item) => parsedBy(oneOrMany(), (items) => items.map(parse));

export const globs = () => listOf(parseGlob);

/** Anything at all: the options of what only registry knows. */
export const free = () => z.record(z.string(), z.unknown());

function oneOrMany() {
  return z
    .union([z.string(), z.array(z.string())])
    .transform((value): readonly string[] => (typeof value === 'string' ? [value] : value));
}

function notEmpty(value: string): string {
  if (value.trim() === '') throw new ValueError('is empty; write a value, or remove it');
  return value;
}
