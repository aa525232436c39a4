/** Runs `check` over a configuration, with upstreams that are as a test says. */
import { writeFile } from 'node:fs/promises';
import { FakeClock } from '../../test/support/fake-clock.ts';
import type { TempDir } from '../../test/support/temp-dir.ts';
import type { Clock } from '../observe/clock.ts';
import type { Upstream, UpstreamCheck, Upstreams } from '../upstream/contract.ts';
import type { Finding } from './check.ts';
import { cli } from './testing.ts';

export function upstreams(statuses: Readonly<Record<string, Partial<UpstreamCheck>>>): Upstreams {
  const find = (name: string): Upstream | undefined => {
    const given = statuses[name];
    if (given === undefined) return undefined;
    const status: UpstreamCheck = {
      name,
      url: `https://${name}`,
      circuit: 'closed',
      lastError: undefined,
      limit: undefined,
      transfers: 0,
      ...given,
    };
    return {
      name,
      url: status.url,
      hasCredentials: false,
      relay: async () => {
        throw new Error('not expected');
      },
      upgrade: async () => {
        throw new Error('not expected');
      },
      repository: () => {
        throw new Error('not expected');
      },
      check: async () => status,
      status: () => status,
    };
  };
  return { find, list: () => [], close: async () => {} };
}

export async function runCheck(
  dir: TempDir,
  yaml: string,
  args: readonly string[] = [],
  found: Upstreams = upstreams({}),
  clock: Clock = new FakeClock(),
) {
  const path = dir.join('config.yml');
  const base = `version: 0.1\nstorage: { filesystem: { rootdirectory: "${dir.join('data')}" } }\n`;
  await writeFile(path, base + yaml);
  const ran = await cli(['check', path, '--json', ...args], { clock, upstreams: found });
  const { findings } = JSON.parse(ran.out) as { readonly findings: readonly Finding[] };
  return { ...ran, findings: new Map(findings.map((finding) => [finding.what, finding])) };
}

export const anyPort = 'http: { addr: "127.0.0.1:0" }\n';
