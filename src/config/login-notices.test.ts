import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { makeAuthority } from '../../test/support/certificates.ts';
import { hashOf } from '../../test/support/logins.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import { loadConfig } from './load.ts';

async function noticesOf(text: string): Promise<string> {
  await using directory = await TempDir.make();
  const authority = makeAuthority();
  const files = { users: `ann:${hashOf('x')}\n`, ca: authority.ca, ...authority.issue(['cache.example']) };
  for (const [name, content] of Object.entries(files)) await writeFile(directory.join(name), content);
  const placed = text.replaceAll(/\$(\w+)/g, (_, name: string) => directory.join(name));
  return (await loadConfig({ text: placed, env: {} })).notices.join('\n');
}

const users = 'auth: { htpasswd: { path: $users } }';
const near = 'http: { addr: "127.0.0.1:5000" }';

describe('an operator is told', () => {
  const rows: Readonly<Record<string, readonly [text: string, said: RegExp]>> = {
    'that nobody can log in': [
      `${near}\naccess: [{ who: ann, may: pull, on: "**" }]`,
      /nobody can log in: set auth\.htpasswd/,
    ],
    'of a user who is not there': [
      `${near}\n${users}\naccess: [{ who: [ann, anne], may: pull, on: "**" }]`,
      /^access names anne, who is not in the file of users: `entrepot htpasswd anne`/,
    ],
    'of a group that nobody can be in': [
      `${near}\n${users}\naccess: [{ who: "group:ops", may: pull, on: "**" }]`,
      /^access names group:ops, but users of auth\.htpasswd are in no group/,
    ],
    'that passwords can be read on their way': [
      `http: { addr: ":5000" }\n${users}`,
      /^passwords come over plain http: set http\.tls, or have a proxy/,
    ],
    'that passwords can be read on their way beside TLS': [
      `http: { addr: ":5000", tls: { certificate: $cert, key: $key } }\n${users}`,
      /^passwords may come over plain http, .*: set http\.tls\.plain to false$/,
    ],
  };
  for (const [what, [text, said]] of Object.entries(rows)) {
    test(what, async () => assert.match(await noticesOf(text), said));
  }

  test('nothing where it is as it should be', async () => {
    const pair = 'certificate: $cert, key: $key';
    const rules = 'access: [{ who: [anonymous], may: pull, on: "**" }, { who: [ann, "*"], may: push, on: "**" }]';
    for (const text of [
      `${near}\n${users}\n${rules}`,
      `http: { addr: ":5000", tls: { ${pair}, plain: false } }\n${users}\n${rules}`,
      `http: { addr: ":5000", trustedproxies: [10.0.0.1] }\n${users}\n${rules}`,
      `http: { tls: { ${pair}, clientcas: [$ca] } }\naccess: [{ who: [bob, "group:ops"], may: pull, on: "**" }]`,
      near,
    ])
      assert.equal(await noticesOf(text), '', text);
  });
});
