import type { CheckConfig, HealthConfig, StorageConfig } from '../config.ts';
import { Secret } from '../secret.ts';
import type { FileConfig } from '../schema/schema.ts';
import type { Path } from '../tree/tree.ts';
import { shownUrl } from '../value/url.ts';
import type { Resolving } from './resolving.ts';

type Given = NonNullable<FileConfig['health']>;

/** registry's own; there, nothing limits how long an answer may take. */
const intervalMs = 10_000;
const timeoutMs = 5_000;
const intervalMsMin = 100;

/** With registry's names for them, under which `/debug/health` tells of what fails. */
export function resolveHealth(given: FileConfig['health'], storage: StorageConfig, resolving: Resolving): HealthConfig {
  const { storagedriver, file = [], http = [], tcp = [] } = given ?? {};
  const placed: (readonly [Path, CheckConfig | undefined])[] = [
    ...file.map((each, at) => [['health', 'file', at], fileCheck(each, resolving)] as const),
    ...http.map((each, at) => [['health', 'http', at], httpCheck(each)] as const),
    ...tcp.map((each, at) => [['health', 'tcp', at], tcpCheck(each)] as const),
  ];
  if (storagedriver?.enabled === true) {
    const name = `storagedriver_${storage.driver}`;
    placed.unshift([['health', 'storagedriver'], { kind: 'storage', name, ...timing(storagedriver) }]);
  }
  const checks: CheckConfig[] = [];
  for (const [path, check] of placed) {
    if (check === undefined) resolving.problem(path, 'does not say what to look at; write file, uri or addr');
    else if (checks.some((other) => isSame(check, other))) resolving.problem(path, 'is there twice; remove one');
    else if (check.intervalMs < intervalMsMin)
      resolving.problem(path, 'looks too often; write an interval of 1s or more');
    else checks.push({ ...check, name: ownName(check, checks) });
  }
  return { checks };
}

function isSame(one: CheckConfig, other: CheckConfig): boolean {
  return one.kind === 'http' && other.kind === 'http' ? one.url === other.url : one.name === other.name;
}

/** Numbered where others differ in what is not shown of them. */
function ownName({ name }: CheckConfig, others: readonly CheckConfig[]): string {
  const isTaken = (wanted: string): boolean => others.some((other) => other.name === wanted);
  let own = name;
  for (let number = 2; isTaken(own); number += 1) own = `${name} (${number})`;
  return own;
}

function timing({ interval, threshold }: { interval?: number | undefined; threshold?: number | undefined }) {
  // A zero is registry's way of saying nothing.
  return { intervalMs: interval || intervalMs, threshold: threshold ?? 0 };
}

function fileCheck(each: NonNullable<Given['file']>[number], resolving: Resolving): CheckConfig | undefined {
  if (each.file === undefined) return undefined;
  return { kind: 'file', name: each.file, path: resolving.path(each.file), ...timing(each) };
}

function httpCheck(each: NonNullable<Given['http']>[number]): CheckConfig | undefined {
  const { uri, headers = {}, statuscode } = each;
  if (uri === undefined) return undefined;
  const secret = Object.entries(headers).map(
    ([name, values]) => [name, values.map((value) => new Secret(value))] as const,
  );
  const limits = { timeoutMs: each.timeout || timeoutMs, ...timing(each) };
  return { kind: 'http', name: shownUrl(uri), url: uri, headers: secret, status: statuscode ?? 200, ...limits };
}

function tcpCheck(each: NonNullable<Given['tcp']>[number]): CheckConfig | undefined {
  const { addr } = each;
  if (addr === undefined) return undefined;
  const { text, host = '127.0.0.1', port } = addr;
  return { kind: 'tcp', name: text, host, port, timeoutMs: each.timeout || timeoutMs, ...timing(each) };
}
