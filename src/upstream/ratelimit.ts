import type { IncomingHttpHeaders } from 'node:http';

/** How many manifest requests a window has and how many are left, as Docker Hub tells. */
export interface RateLimit {
  readonly limit: number;
  readonly remaining: number;
}

/**
 * `ratelimit-limit: 100;w=21600`, `ratelimit-remaining: 76;w=21600`
 * (https://docs.docker.com/docker-hub/usage/pulls/, "View hourly pull rate and limit").
 */
export function parseRateLimit(headers: IncomingHttpHeaders): RateLimit | undefined {
  const limit = firstNumber(headers['ratelimit-limit']);
  const remaining = firstNumber(headers['ratelimit-remaining']);
  return limit === undefined || remaining === undefined ? undefined : { limit, remaining };
}

function firstNumber(value: string | readonly string[] | undefined): number | undefined {
  const text = typeof value === 'string' ? value : value?.[0];
  const digits = /^\s*(\d{1,12})\s*(?:;|,|$)/.exec(text ?? '')?.[1];
  return digits === undefined ? undefined : Number(digits);
}
