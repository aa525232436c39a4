/** The beginnings and the ends of heads, which are the same for many answers: each is written out once. */
import { STATUS_CODES } from 'node:http';
import { idHeader } from './answering.ts';
import { asOneText } from './prepared-headers.ts';

const beginnings = new Map<number, string>();

/** As far as it is the same for all answers of a status: to the request's id, which ends the line. */
export function beginningOf(status: number): string {
  const known = beginnings.get(status);
  if (known !== undefined) return known;
  const text = asOneText(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${idHeader}: `);
  beginnings.set(status, text);
  return text;
}

/** The one that was written last: the next one is mostly the same. */
let latest: { second: number; keepAliveMs: number | undefined; text: string } | undefined;

/**
 * Date (RFC 9110, 5.6.7), and whether the connection stays.
 *
 * @param nowMs milliseconds since the epoch
 * @param keepAliveMs for how long it stays; `undefined` where it does not
 */
export function endOf(nowMs: number, keepAliveMs: number | undefined): string {
  const second = Math.floor(nowMs / 1000);
  if (latest?.second === second && latest.keepAliveMs === keepAliveMs) return latest.text;
  const date = new Date(second * 1000).toUTCString();
  const connection =
    keepAliveMs === undefined
      ? 'Connection: close'
      : `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepAliveMs / 1000)}`;
  latest = { second, keepAliveMs, text: asOneText(`Date: ${date}\r\n${connection}\r\n\r\n`) };
  return latest.text;
}
