import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import { writeFile } from 'node:fs/promises';
import type { Context, RunningServer } from './context.ts';
import { cli } from './testing.ts';

const clock = new FakeClock();

function server(calls: string[]): RunningServer {
  return {
    addresses: ['http://127.0.0.1:5000'],
    adminSocket: '/run/admin.sock',
    reload: async () => void calls.push('reload'),
    stop: async (reason) => void calls.push(`stop ${reason}`),
  };
}

/** An error as the operating system's come. */
function systemError(code: string, rest: object): Error {
  return Object.assign(new Error(`${code}: something`), { code, ...rest });
}

describe('serve', () => {
  test('serves until it is told to stop, and reads the configuration again when asked to', async () => {
    const calls: string[] = [];
    const { code, notes } = await cli(['serve'], {
      clock,
      startServer: async ({ loaded }) => {
        calls.push(`start ${loaded.config.mode}`);
        return server(calls);
      },
      untilStopped: async (onReload) => {
        onReload();
        return 'SIGTERM';
      },
    });
    assert.equal(code, 0);
    assert.deepEqual(calls, ['start entrepot', 'reload', 'stop SIGTERM']);
    assert.match(notes, /listens on http:\/\/127\.0\.0\.1:5000/);
  });

  test('prints no banner for programs, nor when asked not to', async () => {
    const startServer: Context['startServer'] = async () => server([]);
    const json = await cli(['serve'], { clock, startServer, env: { REGISTRY_LOG_FORMATTER: 'json' } });
    assert.equal(json.notes, '');
    assert.equal((await cli(['serve', '--quiet'], { clock, startServer })).notes, '');
  });

  test('names everything that is wrong with the configuration, each with its place', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('config.yml');
    await writeFile(path, 'version: 0.1\ncache: { sizze: 3 }\nlog: { level: loud }\n');
    const { code, notes } = await cli(['serve', path], { clock });
    assert.equal(code, 1);
    assert.match(notes, /config\.yml:2:\d+: cache\.sizze: .*size/);
    assert.match(notes, /config\.yml:3:\d+: log\.level: /);
    assert.match(notes, /2 things are wrong with the configuration \(.*config\.yml\); correct it and try again\.\n$/);
    assert.doesNotMatch(notes, / {4}at /);
  });

  test('says that its file is not there', async () => {
    const { code, notes } = await cli(['serve', '/nowhere/config.yml'], { clock });
    assert.equal(code, 1);
    assert.match(notes, /\/nowhere\/config\.yml/);
    assert.match(notes, /check the path/);
  });

  const failures: readonly (readonly [name: string, error: Error, said: string])[] = [
    [
      'a port in use',
      systemError('EADDRINUSE', { address: '127.0.0.1', port: 5000 }),
      'Another process listens on 127.0.0.1:5000 already; stop it, or set http.addr (or ENTREPOT_HTTP_ADDR) to another one.',
    ],
    [
      'a port that is not for everybody',
      systemError('EACCES', { address: '::', port: 443 }),
      'This user may not listen on :443; set http.addr to a port above 1023, or grant CAP_NET_BIND_SERVICE.',
    ],
    [
      'an address of another machine',
      systemError('EADDRNOTAVAIL', { address: '192.0.2.1', port: 5000 }),
      '192.0.2.1 is not an address of this machine; set http.addr to one that is, or to :5000 for all of them.',
    ],
    [
      'a directory that cannot be written',
      systemError('EACCES', { path: '/var/lib/registry' }),
      'Cannot write /var/lib/registry (permission denied); give the user that runs entrepot access, or set storage.filesystem.rootdirectory to a directory of its own.',
    ],
    [
      'a read-only disk',
      systemError('EROFS', { path: '/data' }),
      'Cannot write /data (the file system is read-only); give the user that runs entrepot access, or set storage.filesystem.rootdirectory to a directory of its own.',
    ],
    [
      'a full disk',
      systemError('ENOSPC', { path: '/data' }),
      'The disk of /data is full; free some space, or set storage.filesystem.rootdirectory to another disk.',
    ],
    [
      'a bug',
      new TypeError('x is not a function'),
      'x is not a function (this should not happen; set ENTREPOT_DEBUG=1 to see where, and report it)',
    ],
  ];
  for (const [name, error, said] of failures) {
    test(`says of ${name} what to do, in one sentence`, async () => {
      const { code, notes } = await cli(['serve'], { clock, startServer: () => Promise.reject(error) });
      assert.equal(code, 1);
      assert.equal(notes, `${said}\n`);
    });
  }

  test('shows where a bug is when asked to', async () => {
    const { notes } = await cli(['serve'], {
      clock,
      startServer: () => Promise.reject(new TypeError('x')),
      env: { ENTREPOT_DEBUG: '1' },
    });
    assert.match(notes, / {4}at /);
  });
});
