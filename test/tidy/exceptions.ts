/**
 * What is larger than STYLE.md's rules allow, with its size now and the reason. The lists only shrink: an entry that
 * grew, shrank or is not needed any more fails the test of sizes.
 */
import type { Exceptions } from './size-rules.ts';

/** In lines. */
export const fileExceptions: Exceptions = {};

/** In lines. */
export const functionExceptions: Exceptions = {};

/** In methods. */
export const interfaceExceptions: Exceptions = {};
