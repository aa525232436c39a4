import type { Adoption } from '../adopt/adoption.ts';
import type { DebugConfig } from '../config/config.ts';
import type { Health } from '../health/health.ts';
import type { Handler, Reply } from '../http/message.ts';
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
  readonly health: Pick<Health, 'problems' | 'declare'>;
  readonly metrics: Pick<Metrics, 'text' | 'contentType'>;
  readonly config: Pick<DebugConfig, 'prometheusPath' | 'takesHealth'> | undefined;
  /** False from the moment the server drains. */
  readonly accepting: () => boolean;
  readonly clock: Clock;
}

/**
 * The debug listener: metrics and health, for anybody who reaches it. Nothing here tells of content, or changes any; where
 * the configuration is registry's, it takes the server out of service. No page of a browser has business here.
 */
export function createDebug(options: DebugOptions): Handler {
  const { prometheusPath, takesHealth = false } = options.config ?? {};
  return async ({ method, url, headers }) => {
    if (headers['origin'] !== undefined) return textReply(403, 'not for pages of other servers\n');
    const path = new URL(url, 'http://debug').pathname;
    if (takesHealth && path.startsWith('/debug/health/')) return declared(method, path, options);
    if (method !== 'GET' && method !== 'HEAD') return textReply(405, 'only GET\n');
    if (path === prometheusPath) return textReply(200, await options.metrics.text(), options.metrics.contentType);
    if (path === '/healthz') return textReply(200, 'ok\n');
    if (path === '/readyz') return readiness(options);
    if (path === '/debug/health') return verdict(options.health.problems());
    if (path === '/debug/vars') return jsonReply(variables(options.version));
    return textReply(404, `nothing at ${path}; try ${prometheusPath ?? '/debug/vars'}, /healthz or /readyz\n`);
  };
}

/** 503 with what is wrong, by part. While a volume is read, requests are served. */
async function readiness(options: DebugOptions): Promise<Reply> {
  const problems = { ...(await checkHealth(options)), ...options.health.problems() };
  const { state, repositories } = options.adoption.progress;
  const adoption = state === 'done' ? {} : { adoption: `${state}: ${repositories} repositories so far` };
  return jsonReply({ ...problems, ...adoption }, Object.keys(problems).length === 0 ? 200 : 503);
}

/** registry's own: 503 with what is wrong, by check. */
function verdict(problems: Readonly<Record<string, string>>): Reply {
  return jsonReply(problems, Object.keys(problems).length === 0 ? 200 : 503);
}

/** As with registry: an operator takes this server out of service, and back, whatever the checks find. */
function declared(method: string, path: string, { health }: DebugOptions): Reply {
  const wanted = path.slice('/debug/health/'.length);
  if (method !== 'POST' || (wanted !== 'down' && wanted !== 'up')) {
    return textReply(404, 'POST /debug/health/down or /debug/health/up\n');
  }
  health.declare(wanted === 'down');
  return textReply(200, '');
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
