import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { requestDone } from '../../test/support/request-done.ts';
import { createLog } from './log.ts';
import type { LogOptions } from './log.ts';
import type { Sink } from './sink.ts';

function memorySink(): Sink & { lines(): string[] } {
  let text = '';
  return {
    write: (lines) => (text += lines),
    flush: async () => {},
    flushSync: () => {},
    droppedLines: 0,
    lines: () => text.split('\n').slice(0, -1),
  };
}

function setup(given: Partial<LogOptions> = {}) {
  const clock = new FakeClock(Date.UTC(2026, 10, 20, 19, 33, 19));
  const sinks = { log: memorySink(), access: memorySink() };
  const log = createLog({ level: 'info', formatter: 'json', fields: {}, accessLog: true, clock, sinks, ...given });
  return { log, clock, sinks };
}

describe('the log', () => {
  test('says a constant sentence and the fields of the event', () => {
    const { log, sinks } = setup({ fields: { site: 'north' } });
    log.emit({ type: 'upstream.circuit', upstream: 'quay.io', state: 'open', reason: 'connect timeout' });
    assert.deepEqual(JSON.parse(sinks.log.lines()[0] ?? ''), {
      time: '2026-11-20T19:33:19.000Z',
      level: 'warn',
      site: 'north',
      msg: 'an upstream fails; requests go without it until a probe succeeds',
      event: 'upstream.circuit',
      upstream: 'quay.io',
      state: 'open',
      reason: 'connect timeout',
    });
  });

  test('rounds durations to microseconds', () => {
    const { log, sinks } = setup();
    log.emit(requestDone({ status: 503, ms: 9.481144000000313 }));
    assert.equal((JSON.parse(sinks.log.lines()[0] ?? '') as Record<string, unknown>)['ms'], 9.481);
  });

  test('is key=value text as registry writes it', () => {
    const { log, sinks } = setup({ formatter: 'text' });
    log.emit({ type: 'config.notice', message: 'redis: not needed, "ignored"\u001b[2J\u009b\u202e\u2028' });
    assert.equal(
      sinks.log.lines()[0],
      'time=2026-11-20T19:33:19.000Z level=warn msg="a note on the configuration" event=config.notice ' +
        'detail="redis: not needed, \\"ignored\\"\\u001b[2J\\u009b\\u202e\\u2028"',
    );
  });

  test('has the names that logstash expects', () => {
    const { log, sinks } = setup({ formatter: 'logstash' });
    log.emit({ type: 'store.failed', operation: 'commit', code: 'ENOSPC', message: 'no space left' });
    const line = JSON.parse(sinks.log.lines()[0] ?? '') as Record<string, unknown>;
    assert.equal(line['@timestamp'], '2026-11-20T19:33:19.000Z');
    assert.match(String(line['message']), /^the store failed/);
    assert.equal(line['detail'], 'no space left');
  });

  test('leaves out what is below its level', () => {
    const { log, sinks } = setup({ level: 'error' });
    log.emit({ type: 'server.stopped' });
    log.emit({ type: 'task.failed', task: 'scrub', message: 'x' });
    assert.equal(sinks.log.lines().length, 1);
  });

  test('writes each answered request to the access log, and a failed one to the log as well', () => {
    const { log, sinks } = setup();
    log.emit(requestDone({ requestId: 'ok' }));
    log.emit(requestDone({ requestId: 'bad', status: 503, errorCode: 'UPSTREAM_UNREACHABLE' }));
    assert.deepEqual(
      sinks.access.lines().map((line) => (JSON.parse(line) as { requestId: string }).requestId),
      ['ok', 'bad'],
    );
    assert.deepEqual(
      sinks.log.lines().map((line) => (JSON.parse(line) as { requestId: string }).requestId),
      ['bad'],
    );
  });

  test('has no access log when that is off', () => {
    const { log, sinks } = setup({ accessLog: false });
    log.emit(requestDone({}));
    assert.deepEqual(sinks.access.lines(), []);
  });

  test('tells of an outage once in a while and how many lines it left out', async () => {
    const { log, clock, sinks } = setup();
    const stale = {
      type: 'cache.stale',
      upstream: 'quay.io',
      repository: 'a/b',
      reference: 'v1',
      reason: 'dns',
    } as const;
    for (let i = 0; i < 500; i++) log.emit(stale);
    log.emit({ ...stale, upstream: 'ghcr.io' });
    await clock.advance(10_000);
    log.emit(stale);
    const lines = sinks.log.lines().map((line) => JSON.parse(line) as { upstream: string; omittedLines?: number });
    assert.deepEqual(
      lines.map(({ upstream, omittedLines }) => [upstream, omittedLines]),
      [
        ['quay.io', undefined],
        ['ghcr.io', undefined],
        ['quay.io', 499],
      ],
    );
  });
});
