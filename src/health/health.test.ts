import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import type { CheckConfig } from '../config/config.ts';
import type { Event } from '../observe/events.ts';
import { RegistryError } from '../oci/errors.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { createMemoryStore } from '../store/memory/store.ts';
import type { Services } from '../upstream/services.ts';
import { createHealth } from './health.ts';

const check: CheckConfig = { kind: 'storage', name: 'storagedriver_filesystem', intervalMs: 1_000, threshold: 2 };
const services = {} as Services;

function over(store: BlobStore) {
  const clock = new FakeClock();
  const events: Event[] = [];
  const observer = { emit: (event: Event) => void events.push(event) };
  const health = createHealth({ store, clock, observer, services, config: () => ({ checks: [check] }) });
  return { clock, events, health };
}

describe('the check of the storage', () => {
  test('fails when the store does, as often as it may', async () => {
    const store = Object.assign(createMemoryStore({ bytesMax: 1 }), {
      find: () => Promise.reject(new RegistryError('UNAVAILABLE', 'the disk is gone')),
    });
    const { clock, events, health } = over(store);
    await health.begin();
    await clock.pending(1);
    assert.deepEqual(health.problems(), {});
    await clock.advance(1_000);
    await clock.pending(1);
    assert.deepEqual(health.problems(), { storagedriver_filesystem: 'the disk is gone' });
    assert.deepEqual(
      events.map(({ type }) => type),
      ['health.changed'],
    );
    await health[Symbol.asyncDispose]();
  });

  test('fails when the store does not answer', async () => {
    const store = Object.assign(createMemoryStore({ bytesMax: 1 }), { find: () => new Promise<never>(() => {}) });
    const { clock, health } = over(store);
    await health.begin();
    for (let step = 0; step < 20; step += 1) {
      await clock.pending(1);
      await clock.advance(1_000);
    }
    assert.deepEqual(health.problems(), { storagedriver_filesystem: 'no answer within 5000 ms' });
    const ended = health[Symbol.asyncDispose]();
    await clock.advance(5_000);
    await ended;
  });
});
