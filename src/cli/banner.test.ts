import { describe, test } from 'node:test';
import { assertGolden } from '../../test/support/golden.ts';
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

describe('the banner', () => {
  for (const [name, { yaml, address }] of Object.entries(texts)) {
    test(`tells routes, exposure and limits (${name})`, async () => {
      const loaded = await loadConfig({ text: yaml, env: {}, machine });
      const text = bannerText(loaded, [address], '/run/admin.sock');
      assertGolden(`test/golden/cli/banner-${name}.txt`, text.replaceAll(version, 'VERSION'));
    });
  }
});
