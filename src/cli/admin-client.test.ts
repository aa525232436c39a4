import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { describe, test } from 'node:test';
import { TempDir } from '../../test/support/temp-dir.ts';
import { adminClient } from './admin-client.ts';
import type { AdminClient } from './admin-client.ts';

const wentAway = { name: 'CommandFailed', message: 'The server went away in the middle of its answer; try again.' };

/** A server ends in the middle of its answer, and whoever asked is told of it. */
async function cutAfter(text: string, ask: (client: AdminClient) => Promise<unknown>): Promise<void> {
  await using directory = await TempDir.make();
  const path = directory.join('admin.sock');
  const server = createServer((_request, response) => {
    response.write(text, () => response.socket?.destroy());
  });
  server.listen(path);
  await once(server, 'listening');
  try {
    await assert.rejects(ask(adminClient(path)), wentAway);
  } finally {
    server.close();
  }
}

describe('a server that goes away in the middle of its answer', () => {
  test('is said to have, after a line and within one', async () => {
    for (const rest of ['', '{"type":"prog']) {
      const seen: unknown[] = [];
      await cutAfter(`{"type":"progress"}\n${rest}`, async (client) => {
        for await (const line of client.lines('/v1/pull')) seen.push(line);
      });
      assert.deepEqual(seen, [{ type: 'progress' }]);
    }
  });

  test('is said to have where the answer is one piece', async () => {
    await cutAfter('{"items":', (client) => client.get('/v1/images'));
  });
});
