import type { Adoption } from '../adopt/adoption.ts';
import type { Handler } from '../http/message.ts';
import type { Index } from '../index/contract.ts';
import type { Clock } from '../observe/clock.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { checkHealth } from './health.ts';
import { jsonReply, textReply } from './reply.ts';

export interface DebugOptions {
  readonly version: string;
  readonly index: Index;
  readonly store: BlobStore;
  readonly adoption: Pick<Adoption, 'progress'>;
  readonly metrics: Pick<Metrics, 'text' | 'contentType'>;
  /** Where the metrics are; undefined when they are off. */
  readonly prometheusPath: string | undefined;
  /** False from the moment the server drains. */
  readonly accepting: () => boolean;
  readonly clock: Clock;
}

/** The debug listener: metrics and health. Nothing here changes anything or tells of content. */
export function createDebug(options: DebugOptions): Handler {
  return async ({ method, url }) => {
    const path = new URL(url, 'http://debug').pathname;
    if (method !== 'GET' && method !== 'HEAD') return textReply(405, 'only GET\n');
    if (path === options.prometheusPath)
      return textReply(200, await options.metrics.text(), options.metrics.contentType);
    if (path === '/healthz') return textReply(200, 'ok\n');
    if (path === '/readyz' || path === '/debug/health') return readiness(options);
    if (path === '/debug/vars') return jsonReply(variables(options.version));
    return textReply(404, `nothing at ${path}; try ${options.prometheusPath ?? '/debug/vars'}, /healthz or /readyz\n`);
  };
}

/** 503 with what is wrong, by part, as registry's /debug/health has it. While a volume is read, requests are served. */
async function readiness(options: DebugOptions) {
  const problems = await checkHealth(options);
  const { state, repositories } = options.adoption.progress;
  const adoption = state === 'done' ? {} : { adoption: `${state}: ${repositories} repositories so far` };
  return jsonReply({ ...problems, ...adoption }, Object.keys(problems).length === 0 ? 200 : 503);
}

function variables(version: string) {
  return {
    version,
    node: process.versions.node,
    pid: process.pid,
    uptimeSeconds: Math.round(process.uptime()),
    memory: process.memoryUsage(),
    resources: process.getActiveResourcesInfo().reduce<Record<string, number>>((counts, name) => {
      counts[name] = (counts[name] ?? 0) + 1;
      return counts;
    }, {}),
  };
}
