import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { cli } from './testing.ts';

const found = { state: 'done', repositories: 1, manifests: 2, blobs: 3, dangling: 0, troubles: 0 } as const;

describe('rebuild', () => {
  test('says when nothing could be taken over from the index before, and what that costs', async () => {
    const before = '/data/index.db.before-rebuild.2';
    const rebuilt = { before, unread: 'the index /data/index.db has schema version 999', found };
    const env = { ENTREPOT_STORAGE: 'inmemory' };
    const { code, out, notes } = await cli(['rebuild'], {
      clock: new FakeClock(),
      env,
      rebuildIndex: async () => rebuilt,
    });
    assert.equal(code, 0);
    assert.match(notes, /^Nothing was taken over from the index before: .* version 999\. Its pins are lost, and what/);
    assert.match(out, /The index before is \/data\/index\.db\.before-rebuild\.2; delete it/);
  });
});
