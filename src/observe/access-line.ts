import type { RequestDone } from './events.ts';

export type LineFormat = 'text' | 'json' | 'logstash';

/** Turns an answered request into a line, given when it ended (milliseconds since the epoch). */
export type AccessLine = (done: RequestDone, atMs: number) => string;

/**
 * The access log's line. `text` is the Combined Log Format, as registry writes it, followed by what happened and why
 * as `key=value`. This runs for every request: about a microsecond a line, so nothing here is generic.
 *
 * @param fields added to every JSON line
 */
export function accessLine(format: LineFormat, fields: Readonly<Record<string, unknown>>): AccessLine {
  if (format === 'text') return combined(stampOfSecond());
  const logstash = format === 'logstash';
  const time = stampOfMillisecond(logstash ? '"@timestamp":"' : '"time":"');
  const words = logstash ? ',"@version":"1","level":"info","message":' : ',"level":"info","msg":';
  const constant = `${words}"request answered","event":"request.done"${members(fields)}`;
  return (done, atMs) => `{${time(atMs)}"${constant}${jsonMembers(done)}}\n`;
}

/** Longest user agent that is logged, in characters. */
const agentCharactersMax = 512;

function jsonMembers(done: RequestDone): string {
  let line =
    `,"requestId":${quote(done.requestId)},"clientAddress":${quote(done.clientAddress)},"method":${quote(done.method)}` +
    `,"url":${quote(done.url)},"status":${done.status},"bytes":${done.bytes},"firstByteMs":${round(done.firstByteMs)}` +
    `,"ms":${round(done.ms)},"complete":${done.complete},"httpVersion":${quote(done.httpVersion)}` +
    `,"userAgent":${quote(done.userAgent.slice(0, agentCharactersMax))}`;
  if (done.user !== undefined) line += `,"user":${quote(done.user)}`;
  // Outcome, door, code and origin are words of closed lists: nothing in them needs escaping.
  if (done.outcome !== undefined) line += `,"outcome":"${done.outcome}"`;
  if (done.door !== undefined) line += `,"door":"${done.door}"`;
  if (done.upstream !== undefined) line += `,"upstream":${quote(done.upstream)}`;
  if (done.repository !== undefined) line += `,"repository":${quote(done.repository)}`;
  if (done.reference !== undefined) line += `,"reference":${quote(done.reference)}`;
  if (done.errorCode !== undefined) line += `,"errorCode":"${done.errorCode}"`;
  if (done.errorMessage !== undefined) line += `,"errorMessage":${quote(done.errorMessage)}`;
  if (done.origin !== undefined) line += `,"origin":"${done.origin}"`;
  return line;
}

function combined(stamp: (atMs: number) => string): AccessLine {
  return (done, atMs) => {
    const agent = done.userAgent === '' ? '-' : escape(done.userAgent.slice(0, agentCharactersMax));
    let line =
      `${done.clientAddress || '-'} - ${userOf(done)} [${stamp(atMs)}] "${escape(done.method)} ${escape(done.url)} HTTP/${done.httpVersion}" ` +
      `${done.status} ${done.bytes} "-" "${agent}" ms=${round(done.ms)} id=${done.requestId}`;
    if (done.outcome !== undefined) line += ` outcome=${done.outcome}`;
    if (done.door !== undefined) line += ` door=${done.door}`;
    if (done.upstream !== undefined) line += ` upstream=${done.upstream}`;
    if (done.errorCode !== undefined) line += ` error=${done.errorCode}`;
    if (done.origin !== undefined) line += ` origin=${done.origin}`;
    if (!done.complete) line += ' cut=true';
    if (done.errorMessage !== undefined) line += ` why="${escape(done.errorMessage)}"`;
    return `${line}\n`;
  };
}

/** One word, whatever somebody is called. */
function userOf({ user }: RequestDone): string {
  return user === undefined ? '-' : escape(user).replaceAll(' ', String.raw`\x20`);
}

function members(fields: Readonly<Record<string, unknown>>): string {
  return Object.entries(fields)
    .map(([key, value]) => `,${JSON.stringify(key)}:${JSON.stringify(value) ?? 'null'}`)
    .join('');
}

const quote = (text: string): string => JSON.stringify(text);

const round = (ms: number): number => Math.round(ms * 1000) / 1000;

// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const unsafe = /[\u0000-\u001f\u007f-\u009f"\\]/g;

/** As Apache and nginx do: a client can't forge a line, nor reach the terminal that shows it. */
function escape(text: string): string {
  if (text.search(unsafe) < 0) return text;
  return text.replaceAll(unsafe, (character) =>
    character === '"' || character === '\\'
      ? `\\${character}`
      : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

function stampOfMillisecond(prefix: string): (atMs: number) => string {
  let last = Number.NaN;
  let text = '';
  return (atMs) => {
    if (atMs !== last) {
      last = atMs;
      text = prefix + new Date(atMs).toISOString();
    }
    return text;
  };
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

/** `20/Nov/2026:19:33:19 +0000` */
function stampOfSecond(): (atMs: number) => string {
  let last = Number.NaN;
  let text = '';
  return (atMs) => {
    const second = Math.floor(atMs / 1000);
    if (second === last) return text;
    last = second;
    const iso = new Date(second * 1000).toISOString();
    const month = months[Number(iso.slice(5, 7)) - 1] ?? 'Jan';
    text = `${iso.slice(8, 10)}/${month}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000`;
    return text;
  };
}
