import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import type { NetworkInterfaceInfo } from 'node:os';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { makeAuthority } from '../../test/support/certificates.ts';
import { assertGolden } from '../../test/support/golden.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import { loadConfig } from '../config/load.ts';
import { version } from '../observe/version.ts';
import { bannerText } from './banner.ts';

const machine = {
  isRoot: true,
  home: '/root',
  dataHome: undefined,
  runtimeDirectory: '/run/user/0',
  workingDirectory: '/srv',
};

const texts: Readonly<Record<string, { readonly yaml?: string; readonly address: string }>> = {
  default: { address: 'http://127.0.0.1:5000' },
  exposed: {
    yaml: `version: 0.1
http: { host: "https://cache.example", addr: ":5000" }
cache: { size: 100GB, diskfree: 5% }
upstreams:
  docker.io: { credentials: { username: u, password: p } }
  registry.example: { url: "https://registry.example", credentials: { username: u, password: p }, exposure: anyone }
`,
    address: 'http://0.0.0.0:5000',
  },
  registry: {
    yaml: 'version: 0.1\nhttp: { addr: "127.0.0.1:5000" }\nstorage: { filesystem: { rootdirectory: /var/lib/registry } }\n',
    address: 'http://127.0.0.1:5000',
  },
  users: {
    yaml: 'version: 0.1\nhttp: { addr: "127.0.0.1:5000" }\nstorage: inmemory\nauth: { htpasswd: { path: /nowhere/users } }\n',
    address: 'http://127.0.0.1:5000',
  },
  rules: {
    yaml: 'http: { addr: "127.0.0.1:5000" }\naccess: [{ who: anonymous, may: pull, on: "docker.io/**" }]\n',
    address: 'http://127.0.0.1:5000',
  },
  'pull-through': {
    yaml: 'version: 0.1\nhttp: { addr: "127.0.0.1:5000" }\nstorage: inmemory\nproxy: { remoteurl: "https://registry-1.docker.io" }\n',
    address: 'http://127.0.0.1:5000',
  },
};

const lan: NetworkInterfaceInfo = {
  family: 'IPv4',
  address: '192.0.2.2',
  netmask: '255.255.255.0',
  mac: '00:00:5e:00:53:01',
  internal: false,
  cidr: '192.0.2.2/24',
};

/** On a machine with these addresses besides its own loopback. */
async function bannerOf(
  t: TestContext,
  yaml: string,
  addresses: readonly NetworkInterfaceInfo[] = [lan],
): Promise<string> {
  t.mock.method(os, 'networkInterfaces', () => ({ eth0: [...addresses] }));
  syncBuiltinESMExports();
  try {
    return bannerText(await loadConfig({ text: yaml, env: {}, machine }), ['http://vm:5000'], '/run/admin.sock');
  } finally {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  }
}

const everywhere = 'http: { addr: ":5000" }\n';
const files = 'storage: { filesystem: { rootdirectory: /srv/content } }\n';
const users = 'auth: { htpasswd: { path: /nowhere/users } }\n';
const everybody = 'what is public at every known public registry';

describe('the banner', () => {
  const said: Readonly<Record<string, readonly [yaml: string, line: string]>> = {
    'of a machine that others reach': [
      everywhere,
      `Anonymous clients may pull ${everybody}, and pull, push and delete what is hosted here.
  Whoever reaches this port is one of them; auth and access say who may do what.`,
    ],
    'of this machine alone': [
      'http: { addr: "127.0.0.1:5000" }',
      `Anonymous clients of this machine may pull ${everybody}, and pull, push and delete what is hosted here.`,
    ],
    'where a proxy on this machine lets others in': [
      'http: { addr: "127.0.0.1:5000", trustedproxies: [127.0.0.1] }',
      `Anonymous clients may pull ${everybody}, and pull, push and delete what is hosted here.
  Whoever reaches this port is one of them; auth and access say who may do what.`,
    ],
    'of a registry without deletes': [
      `version: 0.1\n${everywhere}${files}`,
      `Anonymous clients may pull and push what is held here.
  Whoever reaches this port is one of them; auth and access say who may do what.`,
    ],
    'of a registry that only serves': [
      `version: 0.1\n${everywhere}storage: { inmemory: , maintenance: { readonly: { enabled: true } } }\n`,
      'Anonymous clients may pull what is held here.',
    ],
    'of users, where there are no rules': [
      `version: 0.1\n${everywhere}storage: { inmemory: , delete: { enabled: true } }\n${users}`,
      'Users may pull, push and delete what is held here; who has not logged in may do nothing.',
    ],
    'by rules for both': [
      `version: 0.1\n${everywhere}${files}${users}access:
  - { who: anonymous, may: pull, on: "**" }
  - { who: authenticated, may: [pull, push, delete], on: "**" }
`,
      'Anonymous clients may pull what the rules leave to them, of what is held here; users may pull and push what the rules leave to them, of what is held here.',
    ],
    'by a rule for all': [
      'access: [{ who: anonymous, may: pull, on: "**" }]',
      `Anonymous clients may pull ${everybody} and what is hosted here.`,
    ],
    'by a rule that nobody can show to be meant by': [
      'access: [{ who: ann, may: pull, on: "**" }]',
      'Nobody may do anything by the rules; who has not logged in may do nothing.',
    ],
  };
  for (const [what, [yaml, line]] of Object.entries(said)) {
    test(`says who may pull, push and delete: ${what}`, async (t) => {
      const text = await bannerOf(t, yaml);
      assert.ok(text.includes(`\n\n${line}\n\n`), text);
    });
  }

  test('says that tokens say who may do what', async (t) => {
    await using directory = await TempDir.make();
    await writeFile(directory.join('ca.pem'), makeAuthority().ca);
    const token = `{ realm: "https://a.example/", service: s, issuer: i, rootcertbundle: ${directory.join('ca.pem')} }`;
    const text = await bannerOf(t, `version: 0.1\n${everywhere}${files}auth: { token: ${token} }\n`);
    assert.match(text, /^Users may do what their tokens let them; who has not logged in may do nothing\.$/m);
  });

  test('has docker try what docker takes over plain HTTP', async (t) => {
    assert.match(await bannerOf(t, everywhere), /^ {2}docker pull 127\.0\.0\.1:5000\/library\/redis\n/m);
    const one = await bannerOf(t, 'http: { addr: "192.0.2.2:5000" }');
    assert.match(one, /^ {2}docker pull 192\.0\.2\.2:5000\/library\/redis\n/m);
    assert.match(one, /once \/etc\/docker\/daemon\.json has it: \{"insecure-registries": \["192\.0\.2\.2:5000"\]\}\n/);
    const registry = await bannerOf(t, `version: 0.1\n${everywhere}${files}`);
    assert.match(registry, /^Try it from here: {2}docker pull 127\.0\.0\.1:5000\/NAME:TAG$/m);
  });

  test('tells others the address of the machine, however it is said that all are meant', async (t) => {
    for (const addr of [':5000', '0.0.0.0:5000', '[::]:5000']) {
      const text = await bannerOf(t, `http: { addr: "${addr}" }`);
      assert.match(text, /"registry-mirrors": \["http:\/\/192\.0\.2\.2:5000"\]/, addr);
    }
  });

  test('gives no advice that was followed where the machine has no address for others', async (t) => {
    const text = await bannerOf(t, everywhere, []);
    assert.doesNotMatch(text, /ENTREPOT_HTTP_ADDR/);
    assert.match(text, /This machine has no other address yet/);
    assert.match(await bannerOf(t, 'http: { addr: "127.0.0.1:5000" }'), /start with ENTREPOT_HTTP_ADDR=:5000/);
  });

  for (const [name, { yaml, address }] of Object.entries(texts)) {
    test(`tells routes, exposure and limits (${name})`, async () => {
      const loaded = await loadConfig({ text: yaml, env: {}, machine });
      const text = bannerText(loaded, [address], '/run/admin.sock');
      assertGolden(`test/golden/cli/banner-${name}.txt`, text.replaceAll(version, 'VERSION'));
    });
  }
});
