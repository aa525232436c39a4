import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { restartNotice } from './restart.ts';
import { loadText } from './testing.ts';

async function notice(started: string, now: string): Promise<string | undefined> {
  return restartNotice(await loadText(started), await loadText(now));
}

describe('a configuration that is read again', () => {
  test('names what was read at start only and is different now', async () => {
    const now = 'http: { addr: ":5001" }\ncache: { size: 3GB }\nstorage: { filesystem: { rootdirectory: /srv/b } }\n';
    const text = await notice('cache: { size: 2GB }', now);
    assert.match(text ?? '', /different now: http\.addr, .*storage\.filesystem\.rootdirectory.*cache\.size.*; restart/);
  });

  test('names what is not given any more', async () => {
    assert.match((await notice('log: { level: debug }', 'cache: {}')) ?? '', /log\.level/);
  });

  test('names nothing that counts at once', async () => {
    const now = `upstreams: { quay.io: { freshness: 5m }, new.example: { url: "http://new.example" } }
cache: { pins: ["redis:7"] }
hosted: { immutable: ["**:v*"] }
http: { host: "https://cache.example", relativeurls: true }
storage: { delete: { enabled: false }, maintenance: { readonly: { enabled: true } } }
`;
    assert.equal(await notice('cache: {}', now), undefined);
  });
});
