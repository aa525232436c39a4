import { AsyncLocalStorage } from 'node:async_hooks';

/** Chains are handed on up to so many characters; whoever asks in a circle finds itself sooner. */
const charactersMax = 1_024;

const chain = new AsyncLocalStorage<string>();

/**
 * Does something for a request that came by other servers (its `Via`, RFC 9110, 7.6.3). Whatever is asked of others for its
 * sake says so, however many rooms later: two caches that ask each other would otherwise wait for each other.
 */
export function havingComeBy<T>(via: string, run: () => T): T {
  return via.length > charactersMax ? run() : chain.run(via, run);
}

/** By whom the request came for whose sake something is done. */
export function cameBy(): string | undefined {
  return chain.getStore();
}
