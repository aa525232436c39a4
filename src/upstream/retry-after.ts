import type { IncomingHttpHeaders } from 'node:http';

/** Longer than any registry's window; a date far away must not silence us for good. In seconds. */
export const retryAfterSecondsMax = 6 * 3600;

/**
 * Retry-After in whole seconds (RFC 9110, 10.2.3: seconds or a date). A fraction, which some send, is rounded up.
 * `undefined` when absent, unreadable, or a date that is past.
 */
export function retryAfterSeconds(headers: IncomingHttpHeaders, nowMs: number): number | undefined {
  const text = headers['retry-after']?.trim() ?? '';
  const seconds = /^\d{1,15}(?:\.\d{1,15})?$/.test(text) ? Math.ceil(Number(text)) : secondsUntil(text, nowMs);
  return seconds === undefined ? undefined : Math.min(seconds, retryAfterSecondsMax);
}

/** The three forms of RFC 9110, 5.6.7. `Date.parse` alone takes `-5` for the month of May. */
const httpDate = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? [\w -]+ \d\d:\d\d:\d\d (?:GMT|\d{4})$/;

function secondsUntil(date: string, nowMs: number): number | undefined {
  if (!httpDate.test(date)) return undefined;
  const seconds = Math.ceil((Date.parse(date.endsWith('GMT') ? date : `${date} GMT`) - nowMs) / 1000);
  return seconds > 0 ? seconds : undefined;
}
