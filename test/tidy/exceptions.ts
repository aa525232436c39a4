/**
 * What is larger than CONTRIBUTING.md's rules allow, with its size now and the reason. The lists only shrink: what grew,
 * or does not need its exception any more, fails the test of sizes. Whoever makes something smaller lowers its number.
 */
import type { Exceptions } from './size-rules.ts';

/** In lines. */
export const fileExceptions: Exceptions = {};

/** In lines. */
export const functionExceptions: Exceptions = {};

/** In methods. */
export const interfaceExceptions: Exceptions = {};
