/**
 * Every combination of door, mode, ns, name and claim, against the rules of ARCHITECTURE.md written down a second time, as
 * plainly as possible and without a URL in sight.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exampleTable } from '../../test/support/routing-table.ts';
import type { Mode } from '../config/config.ts';
import { digestOf } from '../oci/digest.ts';
import { route } from './route.ts';
import type { RoutingTable } from './route.ts';

interface Case {
  readonly mode: Mode;
  readonly hosts: boolean;
  readonly claimed: boolean;
  readonly object: 'manifest' | 'blob' | 'tags' | 'referrers';
  readonly method: 'GET' | 'HEAD';
  /** The registry as it stands in the path, and where. */
  readonly inPath: { readonly host: string; readonly at: 'front' | 'name' } | undefined;
  readonly ns: string | undefined;
  /** The registry that the tunnel, or the name in the handshake, is of. */
  readonly authority: string | undefined;
  readonly name: string;
}

const digest = digestOf('anything');
const objects = {
  manifest: `manifests/${digest}`,
  blob: `blobs/${digest}`,
  tags: 'tags/list',
  referrers: `referrers/${digest}`,
};
/** What the hosts used below are: an upstream, ourselves, or nobody we know. */
const known: Readonly<Record<string, string>> = {
  'docker.io': 'docker.io',
  'registry-1.docker.io': 'docker.io',
  'Quay.IO:443': 'quay.io',
  'cache.example:5000': 'self',
  'evil.example': 'nobody',
};

function expected(given: Case): string {
  const { name, ns, inPath, authority } = given;
  const single = !name.includes('/');
  const spelled = inPath === undefined ? name : `${inPath.host}/${name}`;
  const valid = spelled === spelled.toLowerCase() && !spelled.includes(':');
  if (given.mode !== 'entrepot') {
    if (inPath?.at === 'front') return 'NOT_FOUND';
    if (!valid) return 'NAME_INVALID';
    return given.mode === 'registry' ? `here: ${spelled}` : ofUpstream('docker.io', spelled);
  }
  if (authority !== undefined && known[authority] !== 'self') {
    const who = known[authority] ?? 'nobody';
    if (who === 'nobody') return 'UPSTREAM_UNKNOWN';
    if (inPath === undefined || known[inPath.host] === who) return ofUpstream(who, name);
    if (inPath.at === 'front') return 'REQUEST_INVALID';
    return valid ? ofUpstream(who, spelled) : 'NAME_INVALID';
  }
  if (ns !== undefined) {
    const who = known[ns] ?? 'nobody';
    if (who === 'nobody') return 'UPSTREAM_UNKNOWN';
    if (who === 'self') return valid ? hosted(given, spelled) : 'NAME_INVALID';
    if (inPath === undefined || known[inPath.host] === who) return ofUpstream(who, name);
    const isOthers = who === 'docker.io' && known[inPath.host] === 'quay.io';
    if (inPath.at === 'front' || isOthers) return 'REQUEST_INVALID';
    return valid ? ofUpstream(who, spelled) : 'NAME_INVALID';
  }
  if (inPath !== undefined) {
    const who = known[inPath.host] ?? 'nobody';
    if (who === 'nobody') return 'UPSTREAM_UNKNOWN';
    return who === 'self' ? hosted(given, name) : ofUpstream(who, name);
  }
  return given.hosts && (single || name.startsWith('local/')) ? hosted(given, name) : ofUpstream('docker.io', name);
}

function hosted({ claimed, object, method }: Case, name: string): string {
  const lent = object === 'manifest' || (object === 'blob' && method === 'GET');
  return lent && !claimed && !name.includes('/') ? `docker.io: library/${name}` : `here: ${name}`;
}

function ofUpstream(upstream: string, name: string): string {
  return upstream === 'docker.io' && !name.includes('/') ? `docker.io: library/${name}` : `${upstream}: ${name}`;
}

function urlOf({ inPath, ns, name, object }: Case): string {
  const front = inPath?.at === 'front' ? `/${inPath.host}` : '';
  const within = inPath?.at === 'name' ? `${inPath.host}/` : '';
  return `${front}/v2/${within}${name}/${objects[object]}${ns === undefined ? '' : `?ns=${encodeURIComponent(ns)}`}`;
}

function found(given: Case): string {
  const settings: Partial<RoutingTable> = {
    mode: given.mode,
    isClaimed: () => given.claimed,
    ...(given.hosts ? {} : { isHosted: () => false }),
  };
  const result = route(given.method, urlOf(given), given.authority, exampleTable(settings));
  if (result.kind === 'failure') return result.error.code;
  assert.ok('key' in result);
  assert.equal(result.kind, given.object);
  return `${result.key.upstream ?? 'here'}: ${result.key.name}`;
}

function* cases(): Iterable<Case> {
  const hosts = Object.keys(known);
  const inPaths = [
    undefined,
    ...hosts.flatMap((host) => [{ host, at: 'front' } as const, { host, at: 'name' } as const]),
  ];
  for (const mode of ['entrepot', 'registry', 'registry-proxy'] as const)
    for (const [inPath, ns, authority] of doors(inPaths, hosts))
      for (const name of ['nginx', 'library/nginx', 'local/app', 'a/b/c'])
        for (const claimed of authority === undefined ? [false, true] : [true])
          for (const hostsAny of authority === undefined ? [true, false] : [true])
            for (const object of ['manifest', 'blob', 'tags', 'referrers'] as const)
              for (const method of ['GET', 'HEAD'] as const)
                yield { mode, inPath, ns, authority, name, claimed, hosts: hostsAny, object, method };
}

function* doors(
  inPaths: readonly Case['inPath'][],
  hosts: readonly string[],
): Iterable<readonly [Case['inPath'], string | undefined, string | undefined]> {
  for (const inPath of inPaths)
    for (const ns of [undefined, ...hosts])
      for (const authority of [undefined, ...hosts]) yield [inPath, ns, authority];
}

test('every door leads where the design says, in every combination', () => {
  let count = 0;
  for (const given of cases()) {
    count += 1;
    assert.equal(found(given), expected(given), `${given.method} ${urlOf(given)} ${JSON.stringify(given)}`);
  }
  assert.ok(count > 40_000, `only ${count} combinations`);
});

test('what is asked of another registry has no prefix of ours before it', () => {
  const given = exampleTable({ prefix: '/registry' });
  const kindAt = (authority: string): string => route('GET', '/v2/a/b/tags/list', authority, given).kind;
  assert.equal(kindAt('quay.io'), 'tags');
  assert.equal(kindAt('cache.example:5000'), 'failure');
});
