import type * as Undici from 'undici';

let loaded: typeof Undici | undefined;

/**
 * What makes requests: to read and compile it is a fifth of a start, which makes none. A server does it as soon as it listens.
 */
export async function loadUndici(): Promise<typeof Undici> {
  return (loaded ??= await import('undici'));
}
