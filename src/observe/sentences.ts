import type { Event } from './events.ts';

export type Level = 'debug' | 'info' | 'warn' | 'error';

/** What the log says of an event: a constant sentence, and at which level. The event's own fields come with it. */
export interface Sentence {
  readonly level: Level;
  readonly text: string;
  /** Lines with the same key are told at most once in a while; the next one says how many were left out. */
  readonly quietKey?: string;
}

/** `undefined` for what only the metrics or the access log tell. */
export function sentenceOf(event: Event): Sentence | undefined {
  // The table's type proves that the entry takes this event.
  return (sentences[event.type] as (event: Event) => Sentence | undefined)(event);
}

type EventType = Event['type'];
type Sentences = { readonly [T in EventType]: (event: Extract<Event, { readonly type: T }>) => Sentence | undefined };

const sentences: Sentences = {
  'request.done': (event) =>
    event.status >= 500
      ? { level: 'warn', text: 'a request failed', quietKey: `${event.errorCode} ${event.upstream}` }
      : undefined,
  'server.listening': () => ({ level: 'info', text: 'listening' }),
  'server.stopping': () => ({ level: 'info', text: 'stopping: open requests may end, new ones are refused' }),
  'server.stopped': () => ({ level: 'info', text: 'stopped' }),
  'config.notice': () => ({ level: 'warn', text: 'a note on the configuration' }),
  'config.reloaded': () => ({ level: 'info', text: 'the configuration was read again and is in force' }),
  'config.invalid': () => ({ level: 'error', text: 'the configuration is invalid; the one before stays in force' }),
  'login.refused': ({ clientAddress }) => ({
    level: 'warn',
    text: 'a login was refused: the user or the password is wrong',
    quietKey: clientAddress,
  }),
  'upstream.request': () => ({ level: 'debug', text: 'asked an upstream' }),
  'upstream.circuit': (event) =>
    event.state === 'open'
      ? { level: 'warn', text: 'an upstream fails; requests go without it until a probe succeeds' }
      : { level: 'info', text: 'an upstream is back' },
  'upstream.limit': () => ({ level: 'debug', text: 'an upstream told how many requests are left' }),
  'upstream.lied': (event) => ({
    level: 'error',
    text: 'an upstream sent content that is not what its digest says; it was thrown away',
    quietKey: `${event.upstream} ${event.digest}`,
  }),
  'cache.answered': () => undefined,
  'cache.stale': (event) => ({
    level: 'warn',
    text: 'an upstream could not be asked; what is held was served',
    quietKey: event.upstream,
  }),
  download: (event) => downloadSentences[event.step],
  'cache.evicted': () => ({ level: 'info', text: 'evicted' }),
  'collect.ended': (event) => ({
    level: event.manifests + event.blobs + event.bytes > 0 ? 'info' : 'debug',
    text: 'collected what nothing refers to any more',
  }),
  'cache.size': () => undefined,
  'cache.quarantined': () => ({
    level: 'error',
    text: 'content at rest is gone, or is not what its digest says; what is left was put aside, and it is fetched again when asked for',
  }),
  'upload.expired': (event) => ({
    level: 'info',
    text: event.dryRun ? 'an unfinished upload would be given up' : 'an unfinished upload was given up',
  }),
  'health.changed': (event) =>
    event.well
      ? { level: 'info', text: 'a health check is well again' }
      : { level: 'error', text: 'a health check fails; every request is answered with 503 until it is well' },
  'notice.taken': () => undefined,
  'notice.refused': (event) => ({
    level: 'warn',
    text: 'an endpoint did not take a notification; it is sent again until it is taken',
    quietKey: event.endpoint,
  }),
  'notices.piling': () => ({
    level: 'warn',
    text: 'notifications are piling up faster than their endpoint takes them',
  }),
  'notices.dropped': () => ({
    level: 'error',
    text: 'notifications were dropped: their queue was full, for the endpoint has not taken them; look at it, or disable it',
  }),
  'notices.forgotten': () => ({
    level: 'warn',
    text: 'notifications that waited were forgotten: their endpoint is no longer in the configuration',
  }),
  'proxy.passed': (event) =>
    event.how === 'tunnelled'
      ? { level: 'info', text: 'a client was connected to a host that is not intercepted', quietKey: event.host }
      : {
          level: 'warn',
          text: 'a client was refused a connection to a host that is not intercepted',
          quietKey: event.host,
        },
  'proxy.distrusted': (event) => ({
    level: 'warn',
    text: 'a client does not trust our certificate for a registry; let it trust the authority of /ca.crt?ca=interception',
    quietKey: `${event.clientAddress} ${event.host}`,
  }),
  'store.failed': (event) => ({
    level: 'error',
    text: 'the store failed; requests go on without it where they can',
    quietKey: `${event.operation} ${event.code}`,
  }),
  'task.failed': (event) => ({ level: 'error', text: 'a background task failed', quietKey: event.task }),
  'adoption.trouble': (event) => ({
    level: 'warn',
    text: 'something in the volume cannot be understood, and was left alone',
    quietKey: event.reason.slice(0, 24),
  }),
  'adoption.progress': (event) =>
    event.state === 'done'
      ? { level: event.manifests + event.blobs > 0 ? 'info' : 'debug', text: 'the volume was read' }
      : { level: 'info', text: 'reading the volume; what is asked for is looked up first' },
  'certificate.held': () => undefined,
  'certificate.obtained': () => ({ level: 'info', text: 'a certificate was obtained' }),
  'certificate.failed': () => ({
    level: 'error',
    text: 'a certificate could not be obtained; what was there before is shown, and another try follows',
  }),
  'certificate.expiring': ({ days }) => ({
    level: days < 7 ? 'error' : 'warn',
    text: days < 0 ? 'a certificate has ended' : 'a certificate ends soon',
  }),
  'authority.renewed': () => ({ level: 'warn', text: 'a certificate authority has a successor; give it to clients' }),
  'admin.acted': () => ({ level: 'info', text: 'an operator acted' }),
  'admin.failed': () => ({ level: 'warn', text: 'what an operator asked for failed' }),
};

type Step = Extract<Event, { readonly type: 'download' }>['step'];

const downloadSentences: Readonly<Record<Step, Sentence>> = {
  started: { level: 'debug', text: 'a download began' },
  resumed: { level: 'info', text: 'a download goes on where it was broken off' },
  following: { level: 'debug', text: 'a download of another process is followed' },
  stored: { level: 'info', text: 'a download is complete and kept' },
  unstored: { level: 'warn', text: 'a download was served but could not be kept' },
  suspended: { level: 'info', text: 'a download was suspended, to be resumed' },
  failed: { level: 'warn', text: 'a download failed' },
};
