import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import type { EndpointConfig } from '../config/config.ts';
import type { Index, NoticeIndex, WaitingNotice } from '../index/contract.ts';
import type { Event } from '../observe/events.ts';
import { Delivery } from './delivery.ts';

const endpoint: EndpointConfig = {
  name: 'ci',
  url: 'http://ci.test/',
  headers: [],
  timeoutMs: 1_000,
  threshold: 5,
  backoffMs: 1_000,
  ignoredMediaTypes: [],
  ignoredActions: [],
};

describe('a delivery', () => {
  test('whose index fails at the very start tells of it, and sends once it is back', async () => {
    const [clock, events, sent] = [new FakeClock(), [] as Event[], [] as string[]];
    const waiting: WaitingNotice[] = [{ id: 1, body: 'pushed' }];
    let isLocked = true;
    const notices: Partial<NoticeIndex> = {
      queues: async () => {
        if (isLocked) throw new Error('the database is locked');
        return [{ endpoint: 'ci', waiting: waiting.length, dropped: 7 }];
      },
      next: async () => [...waiting],
      remove: async () => void waiting.pop(),
    };
    const leases = { acquire: async () => ({ key: 'notify:ci', epoch: 1 }), release: async () => {} };
    await using _delivery = new Delivery(endpoint, {
      index: { notices, leases } as Partial<Record<keyof Index, unknown>> as Index,
      clock,
      observer: { emit: (event) => void events.push(event) },
      holder: 'tester',
      services: {
        ask: async ({ body }) => ({ status: sent.push(body ?? '') > 0 ? 200 : undefined, problem: '' }),
        reach: async () => undefined,
        [Symbol.asyncDispose]: async () => {},
      },
    });
    await clock.pending(1);
    isLocked = false;
    await clock.advance(5_000);
    await clock.pending(1);
    assert.deepEqual(sent, ['pushed']);
    assert.deepEqual(
      events.map(({ type }) => type),
      ['task.failed', 'notice.taken'],
      'what was dropped before this start is not told again',
    );
  });
});
