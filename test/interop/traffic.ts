import assert from 'node:assert/strict';
import type { ImageFacts } from './images/catalogue.ts';
import type { LoggedRequest } from './internet/log.ts';
import { sites } from './internet/sites.ts';

/**
 * What a first pull may cost the upstream: every byte of every blob once, a manifest once, a tag one HEAD, a scope one
 * token, and a challenge where the token is got from.
 */
export function assertFetchedOnce(requests: readonly LoggedRequest[], facts: ImageFacts): void {
  const failures = [
    ...manifestFailures(requests, facts),
    ...blobFailures(requests, facts),
    ...repeated(
      'one HEAD a tag',
      requests.filter((r) => isManifest(r) && r.method === 'HEAD' && succeeded(r)),
      where,
    ),
    ...repeated('one token request a scope', requests.filter(isTokenRequest), (r) => `${where(r)} ${scopeOf(r)}`),
    ...repeated(
      'one challenge a path',
      requests.filter((r) => r.status === 401),
      (r) => `${r.method} ${where(r)}`,
    ),
  ];
  report(failures, requests);
}

/** A pull of what is held: no content comes from the upstream. */
export function assertNothingFetched(requests: readonly LoggedRequest[]): void {
  const fetched = requests.filter((r) => r.method === 'GET' && (isManifest(r) || blobOf(r) !== undefined));
  report(
    fetched.map((r) => `fetched although it is held: ${where(r)}`),
    requests,
  );
}

/** The upstream was of no help at all. */
export function assertNoneSucceeded(requests: readonly LoggedRequest[]): void {
  report(
    requests.filter(succeeded).map((r) => `succeeded although the upstream is gone: ${where(r)}`),
    requests,
  );
}

function manifestFailures(requests: readonly LoggedRequest[], facts: ImageFacts): readonly string[] {
  const gets = requests.filter((r) => isManifest(r) && r.method === 'GET' && succeeded(r));
  const digests = new Set(gets.map((r) => r.digest));
  const wanted = facts.manifests.filter((m) => m.platform === undefined || m.platform === 'linux/amd64');
  const known = new Set<string | undefined>(facts.manifests.map((m) => m.digest));
  return [
    ...repeated('one GET a manifest', gets, (r) => r.digest ?? where(r)),
    ...wanted.filter((m) => !digests.has(m.digest)).map((m) => `never fetched: manifest ${m.digest}`),
    ...gets.filter((r) => !known.has(r.digest)).map((r) => `fetched another image's manifest: ${where(r)}`),
  ];
}

function blobFailures(requests: readonly LoggedRequest[], facts: ImageFacts): readonly string[] {
  const sizes = new Map(facts.manifests.flatMap((m) => Object.entries(m.blobs)));
  const wanted = facts.manifests.filter((m) => m.platform === 'linux/amd64').flatMap((m) => Object.keys(m.blobs));
  const fetched = new Map<string, number>();
  for (const request of requests) {
    const digest = blobOf(request);
    if (digest === undefined || request.method !== 'GET' || !succeeded(request)) continue;
    fetched.set(digest, (fetched.get(digest) ?? 0) + request.bytes);
  }
  const failures = wanted.filter((digest) => !fetched.has(digest)).map((digest) => `never fetched: blob ${digest}`);
  for (const [digest, bytes] of fetched) {
    const size = sizes.get(digest);
    if (bytes !== size) failures.push(`fetched ${bytes} bytes of ${digest}, which has ${size}`);
  }
  return failures;
}

function repeated(rule: string, requests: readonly LoggedRequest[], key: (request: LoggedRequest) => string): string[] {
  const groups = Map.groupBy(requests, key);
  return [...groups]
    .filter(([, group]) => group.length > 1)
    .map(([name, { length }]) => `${rule}: ${length} of ${name}`);
}

function report(failures: readonly string[], requests: readonly LoggedRequest[]): void {
  if (failures.length > 0) assert.fail(`${failures.join('\n')}\nWhat the upstream saw:\n${transcript(requests)}`);
}

function transcript(requests: readonly LoggedRequest[]): string {
  const line = (r: LoggedRequest) =>
    [
      `${r.at.toFixed(3)} ${r.method} ${where(r)}`,
      scopeOf(r),
      r.authorization,
      r.range,
      `-> ${r.status}`,
      `${r.bytes} bytes`,
      r.end,
    ]
      .filter((part) => part !== undefined && part !== '')
      .join(' ');
  return requests.map((r) => `  ${line(r)}`).join('\n');
}

function succeeded({ status }: LoggedRequest): boolean {
  return status >= 200 && status < 300;
}

function isManifest({ path }: LoggedRequest): boolean {
  return path.includes('/manifests/');
}

function blobOf({ path }: LoggedRequest): string | undefined {
  return /\/blobs\/(sha256:[0-9a-f]{64})$/.exec(path)?.[1];
}

function isTokenRequest({ host, path }: LoggedRequest): boolean {
  return sites[host]?.tokens?.path === path;
}

function scopeOf({ query }: LoggedRequest): string {
  return new URLSearchParams(query).getAll('scope').join(' ');
}

function where({ host, path }: LoggedRequest): string {
  return host + path;
}
