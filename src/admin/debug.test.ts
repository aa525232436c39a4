import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import type { Request } from '../http/message.ts';
import type { Index } from '../index/contract.ts';
import { openSqliteIndex } from '../index/sqlite/index.ts';
import { RegistryError } from '../oci/errors.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { createMemoryStore } from '../store/memory/store.ts';
import { createDebug } from './debug.ts';
import type { DebugOptions } from './debug.ts';
import { adopted, requestFor, textOf } from './testing.ts';

const metrics = { text: async () => '# metrics\n', contentType: 'text/plain; version=0.0.4; charset=utf-8' };

const config = { prometheusPath: '/metrics', takesHealth: false };

async function ask(index: Index, path: string, given: Partial<DebugOptions> = {}, asked: Partial<Request> = {}) {
  const handler = createDebug({
    version: '1.2.3',
    index,
    store: createMemoryStore({ bytesMax: 1_000_000 }),
    adoption: adopted,
    metrics,
    config,
    accepting: () => true,
    health: { problems: () => ({}), declare: () => {} },
    clock: new FakeClock(),
    ...given,
  });
  const reply = await handler({ ...requestFor('GET', path), ...asked });
  return { status: reply.status, text: await textOf(reply), headers: reply.headers };
}

function broken(how: () => Promise<never>): BlobStore {
  return Object.assign(createMemoryStore({ bytesMax: 1 }), { ingest: how });
}

describe('the debug listener', () => {
  test('has metrics where the configuration puts them, and nowhere when they are off', async () => {
    await using dir = await TempDir.make();
    await using index = await openSqliteIndex({ path: dir.join('index.db') });
    const found = await ask(index, '/metrics');
    assert.deepEqual(
      [found.status, found.text, found.headers['Content-Type']],
      [200, '# metrics\n', metrics.contentType],
    );
    assert.equal((await ask(index, '/numbers', { config: { ...config, prometheusPath: '/numbers' } })).status, 200);
    assert.equal((await ask(index, '/metrics', { config: { ...config, prometheusPath: undefined } })).status, 404);
  });

  test('is alive, and ready while store and index answer', async () => {
    await using dir = await TempDir.make();
    await using index = await openSqliteIndex({ path: dir.join('index.db') });
    assert.equal((await ask(index, '/healthz')).status, 200);
    assert.equal((await ask(index, '/readyz')).status, 200);
  });

  test('is not ready when the store cannot be written, but alive', async () => {
    await using dir = await TempDir.make();
    await using index = await openSqliteIndex({ path: dir.join('index.db') });
    const store = broken(() => Promise.reject(new RegistryError('UNAVAILABLE', 'the disk is read-only')));
    const found = await ask(index, '/readyz', { store });
    assert.deepEqual([found.status, JSON.parse(found.text)], [503, { store: 'the disk is read-only' }]);
    assert.equal((await ask(index, '/healthz', { store })).status, 200);
  });

  test('is not ready when a part hangs', async () => {
    await using dir = await TempDir.make();
    await using index = await openSqliteIndex({ path: dir.join('index.db') });
    const clock = new FakeClock();
    const answer = ask(index, '/readyz', { clock, store: broken(() => new Promise<never>(() => {})) });
    await clock.pending(1);
    await clock.advance(5_000);
    assert.deepEqual(JSON.parse((await answer).text), { store: 'no answer within 5000 ms' });
  });

  test('is not ready when the index is closed, nor while the server stops', async () => {
    await using dir = await TempDir.make();
    const index = await openSqliteIndex({ path: dir.join('index.db') });
    await index[Symbol.asyncDispose]();
    const found = await ask(index, '/readyz', { accepting: () => false });
    assert.equal(found.status, 503);
    assert.deepEqual(Object.keys(JSON.parse(found.text) as object), ['server', 'index']);
  });

  test("takes the server out of service only where it is registry's, and for no page of a browser", async () => {
    await using dir = await TempDir.make();
    await using index = await openSqliteIndex({ path: dir.join('index.db') });
    const declared: boolean[] = [];
    const health = { problems: () => ({}), declare: (down: boolean) => void declared.push(down) };
    const post = async (takesHealth: boolean, headers: Request['headers'] = {}): Promise<number> => {
      const given = { health, config: { ...config, takesHealth } };
      return (await ask(index, '/debug/health/down', given, { method: 'POST', headers })).status;
    };
    assert.equal(await post(false), 405);
    assert.equal(await post(true, { origin: 'https://evil.example' }), 403);
    assert.deepEqual(declared, []);
    assert.equal(await post(true), 200);
    assert.deepEqual(declared, [true]);
    const read = await ask(index, '/metrics', {}, { headers: { origin: 'null' } });
    assert.equal(read.status, 403);
  });

  test('says what there is when asked for something else', async () => {
    await using dir = await TempDir.make();
    await using index = await openSqliteIndex({ path: dir.join('index.db') });
    const found = await ask(index, '/');
    assert.deepEqual([found.status, found.text], [404, 'nothing at /; try /metrics, /healthz or /readyz\n']);
  });
});
