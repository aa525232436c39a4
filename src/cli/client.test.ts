import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { cli } from './testing.ts';

describe('client', () => {
  const notesFor = async (url: string): Promise<string> => {
    const env = { ENTREPOT_HTTP_ADDR: ':5000' };
    return (await cli(['client', 'podman', '--offline', '--url', url], { clock: new FakeClock(), env })).notes;
  };

  test('says of an address of this machine alone what others need, and claims nothing of the server', async () => {
    for (const url of ['http://127.0.0.1:5000', 'http://localhost:5000', 'http://[::1]:5000']) {
      const notes = await notesFor(url);
      assert.match(notes, /^\nNo other machine reaches http:\/\/\S+: give --url as they know it/, url);
      assert.doesNotMatch(notes, /listens on|set http\.addr/);
    }
    assert.equal(await notesFor('http://cache.example:5000'), '');
  });
});
