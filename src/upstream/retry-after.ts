import type { IncomingHttpHeaders } from 'node:http';

/** Longer than any registry's window; a date far away must not silence us for good. In seconds. */
export const retryAfterSecondsMax = 6 * 3600;

/** Retry-After in whole seconds (RFC 9110, 10.2.3: seconds or a date); `undefined` when absent or unreadable. */
export function retryAfterSeconds(headers: IncomingHttpHeaders, nowMs: number): number | undefined {
  const text = headers['retry-after']?.trim();
  if (text === undefined) return undefined;
  const seconds = /^\d{1,15}$/.test(text) ? Number(text) : Math.ceil((Date.parse(text) - nowMs) / 1000);
  if (Number.isNaN(seconds)) return undefined;
  return Math.min(Math.max(seconds, 0), retryAfterSecondsMax);
}
