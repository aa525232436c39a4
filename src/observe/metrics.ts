import { Counter, Gauge, Histogram, Registry } from '@prometheus-io/client';
import type { DownloadEvent, Event, Observer, RequestDone, UpstreamRequest } from './events.ts';
import { Gathered, gathering } from './gathered.ts';
import { metricDefinitions, metricPrefix, secondsBuckets } from './metric-definitions.ts';
import { registerProcessMetrics } from './process-metrics.ts';

export interface MetricsOptions {
  readonly version: string;
  /** Lines the log has lost so far. */
  readonly droppedLines: () => number;
}

/** Counts events. */
export interface Metrics extends Observer {
  readonly contentType: string;
  /** These upstreams, of the configuration and the built-in table, always have a label of their own. */
  know(upstreams: readonly { readonly name: string }[]): void;
  /** Prometheus' text format. */
  text(): Promise<string>;
  /** The same numbers for the admin API. */
  upstreamTotals(): Promise<readonly UpstreamTotals[]>;
}

/** Since the process started. Sizes in bytes. */
export interface UpstreamTotals {
  readonly upstream: string;
  readonly answers: Readonly<Record<string, number>>;
  readonly requests: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/** Of those that no table names: who asks for a thousand wildcard names must not fill our memory or Prometheus'. */
const upstreamLabelsMax = 200;

export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry();
  const make = makers(registry);
  const instruments = instrumentsOf(make, options);
  registerProcessMetrics(registry);
  const gathered = new Gathered();
  let known: ReadonlySet<string> = new Set();
  const count = counting(
    instruments,
    gathered,
    boundedLabel(upstreamLabelsMax, (name) => known.has(name)),
  );
  return {
    know: (upstreams) => void (known = new Set(upstreams.map(({ name }) => name))),
    emit(event) {
      (count[event.type] as ((event: Event) => void) | undefined)?.(event);
    },
    contentType: registry.contentType,
    text: () => {
      gathered.settle();
      return registry.metrics();
    },
    upstreamTotals: () => {
      gathered.settle();
      return totals(instruments);
    },
  };
}

type Instruments = ReturnType<typeof instrumentsOf>;

function instrumentsOf(make: ReturnType<typeof makers>, options: MetricsOptions) {
  const build = make.gauge('build_info');
  build.set({ version: options.version, node: process.versions.node }, 1);
  make.collected('log_lines_dropped_total', options.droppedLines);
  return {
    requests: make.counter('requests_total'),
    errors: make.counter('errors_total'),
    firstByte: make.histogram('first_byte_seconds'),
    sentBytes: make.counter('sent_bytes_total'),
    cut: make.counter('cut_responses_total'),
    answers: make.counter('cache_answers_total'),
    cacheBytes: make.gauge('cache_bytes'),
    cacheLimit: make.gauge('cache_limit_bytes'),
    heldBytes: make.gauge('held_bytes'),
    evictions: make.counter('evictions_total'),
    evictedBytes: make.counter('evicted_bytes_total'),
    quarantined: make.counter('quarantined_total'),
    collections: make.counter('collections_total'),
    collectedManifests: make.counter('collected_manifests_total'),
    collectedBlobs: make.counter('collected_blobs_total'),
    collectedBytes: make.counter('collected_bytes_total'),
    collectionSeconds: make.histogram('collection_seconds'),
    upstreamRequests: make.counter('upstream_requests_total'),
    upstreamSeconds: make.histogram('upstream_request_seconds'),
    received: make.counter('upstream_received_bytes_total'),
    upstreamFailures: make.counter('upstream_failures_total'),
    circuit: make.gauge('upstream_circuit_open'),
    limit: make.gauge('upstream_limit'),
    remaining: make.gauge('upstream_limit_remaining'),
    lies: make.counter('upstream_lies_total'),
    open: make.gauge('downloads_open'),
    downloads: make.counter('downloads_total'),
    resumed: make.counter('downloads_resumed_total'),
    healthFailing: make.gauge('health_check_failing'),
    noticesWaiting: make.gauge('notices_waiting'),
    notices: make.counter('notices_total'),
    passed: make.counter('proxy_passed_total'),
    storeFailures: make.counter('store_failures_total'),
    taskFailures: make.counter('task_failures_total'),
    refusedLogins: make.counter('refused_logins_total'),
    expiry: make.gauge('certificate_expiry_timestamp_seconds'),
    certificateFailures: make.counter('certificate_failures_total'),
    reloads: make.counter('config_reloads_total'),
  };
}

/** Hosts that clients are passed on to may be any number. */
const hostLabelsMax = 100;

type Counting = { readonly [T in Event['type']]?: (event: Extract<Event, { readonly type: T }>) => void };

function counting(to: Instruments, among: Gathered, upstreamLabel: Label): Counting {
  const hostLabel = boundedLabel(hostLabelsMax);
  return {
    'request.done': countRequests(to, upstreamLabel, among),
    'cache.answered': countAnswers(to, upstreamLabel, among),
    'cache.size': ({ bytes, limitBytes, heldBytes }) => {
      to.cacheBytes.set(bytes);
      to.cacheLimit.set(limitBytes);
      to.heldBytes.set(heldBytes);
    },
    'cache.evicted': ({ reason, bytes }) => {
      to.evictions.inc({ reason });
      to.evictedBytes.inc({ reason }, bytes);
    },
    'collect.ended': ({ manifests, blobs, bytes, ms }) => {
      to.collections.inc();
      to.collectedManifests.inc(manifests);
      to.collectedBlobs.inc(blobs);
      to.collectedBytes.inc(bytes);
      to.collectionSeconds.observe(ms / 1000);
    },
    'cache.quarantined': () => to.quarantined.inc(),
    'upstream.request': (event) => countUpstreamRequest(to, event, upstreamLabel(event.upstream)),
    'upstream.circuit': ({ upstream, state }) =>
      to.circuit.set({ upstream: upstreamLabel(upstream) }, state === 'open' ? 1 : 0),
    'upstream.limit': ({ upstream, limit, remaining }) => {
      to.limit.set({ upstream: upstreamLabel(upstream) }, limit);
      to.remaining.set({ upstream: upstreamLabel(upstream) }, remaining);
    },
    'upstream.lied': ({ upstream }) => to.lies.inc({ upstream: upstreamLabel(upstream) }),
    download: countDownload(to, upstreamLabel),
    'health.changed': ({ check, well }) => to.healthFailing.set({ check }, well ? 0 : 1),
    'notice.taken': ({ endpoint, waiting }) => {
      to.noticesWaiting.set({ endpoint }, waiting);
      to.notices.inc({ endpoint, result: 'taken' });
    },
    'notice.refused': ({ endpoint, waiting }) => {
      to.noticesWaiting.set({ endpoint }, waiting);
      to.notices.inc({ endpoint, result: 'refused' });
    },
    'notices.dropped': ({ endpoint, count }) => to.notices.inc({ endpoint, result: 'dropped' }, count),
    'proxy.passed': ({ host, how }) => to.passed.inc({ host: hostLabel(host), how }),
    'store.failed': ({ operation, code }) => to.storeFailures.inc({ operation, code }),
    'task.failed': ({ task }) => to.taskFailures.inc({ task }),
    'login.refused': () => to.refusedLogins.inc(),
    'certificate.held': ({ certificate, validToMs }) => to.expiry.set({ certificate }, validToMs / 1000),
    'certificate.failed': ({ certificate }) => to.certificateFailures.inc({ certificate }),
    'config.reloaded': () => to.reloads.inc({ result: 'ok' }),
    'config.invalid': () => to.reloads.inc({ result: 'invalid' }),
  };
}

const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'CONNECT']);

type CacheAnswered = Extract<Event, { readonly type: 'cache.answered' }>;
type Label = (value: string | undefined) => string;

function countRequests(to: Instruments, upstreamLabel: Label, among: Gathered): (event: RequestDone) => void {
  const isAlike = (one: RequestDone, other: RequestDone): boolean =>
    one.method === other.method &&
    one.status === other.status &&
    one.upstream === other.upstream &&
    one.outcome === other.outcome;
  const gather = gathering(among, isAlike, (events: readonly RequestDone[], { method, status, ...kind }) => {
    const upstream = upstreamLabel(kind.upstream);
    to.requests.inc({ method: methods.has(method) ? method : 'other', status }, events.length);
    const labels = { upstream, outcome: kind.outcome ?? 'none' };
    for (const { firstByteMs } of events) to.firstByte.observe(labels, firstByteMs / 1000);
    to.sentBytes.inc(
      { upstream },
      events.reduce((sum, { bytes }) => sum + bytes, 0),
    );
  });
  return (event) => {
    gather(event);
    if (!event.complete) to.cut.inc({ upstream: upstreamLabel(event.upstream) });
    if (event.errorCode !== undefined) to.errors.inc({ code: event.errorCode, origin: event.origin ?? 'none' });
  };
}

function countAnswers(to: Instruments, upstreamLabel: Label, among: Gathered): (event: CacheAnswered) => void {
  const isAlike = (one: CacheAnswered, other: CacheAnswered): boolean =>
    one.upstream === other.upstream && one.object === other.object && one.outcome === other.outcome;
  return gathering(among, isAlike, ({ length }, { upstream, object, outcome }) => {
    to.answers.inc({ upstream: upstreamLabel(upstream), object, outcome }, length);
  });
}

function countUpstreamRequest(to: Instruments, event: UpstreamRequest, upstream: string): void {
  const { kind } = event;
  const status = event.status === 0 ? 'none' : `${Math.trunc(event.status / 100)}xx`;
  to.upstreamRequests.inc({ upstream, kind, status });
  to.upstreamSeconds.observe({ upstream, kind }, event.ms / 1000);
  to.received.inc({ upstream, kind }, event.bytes);
  if (event.failure !== undefined) to.upstreamFailures.inc({ upstream, code: event.failure });
}

function countDownload(to: Instruments, upstreamLabel: Label): (event: DownloadEvent) => void {
  // A download may tell of several resumptions but is open once. As many entries as there are downloads.
  const open = new Map<string, Set<string>>();
  return (event) => {
    const upstream = upstreamLabel(event.upstream);
    const digests = open.get(upstream) ?? new Set();
    open.set(upstream, digests);
    if (event.step === 'started' || event.step === 'resumed' || event.step === 'following') digests.add(event.digest);
    else {
      digests.delete(event.digest);
      to.downloads.inc({ upstream, end: event.step });
    }
    if (event.step === 'resumed') to.resumed.inc({ upstream });
    to.open.set({ upstream }, digests.size);
  };
}

async function totals(from: Instruments): Promise<readonly UpstreamTotals[]> {
  const rows = new Map<
    string,
    { answers: Record<string, number>; requests: number; sentBytes: number; receivedBytes: number }
  >();
  const row = (labels: Partial<Record<string, string | number>>) => {
    const upstream = String(labels['upstream']);
    const found = rows.get(upstream) ?? { answers: {}, requests: 0, sentBytes: 0, receivedBytes: 0 };
    rows.set(upstream, found);
    return found;
  };
  for (const { labels, value } of (await from.answers.get()).values) {
    const { answers } = row(labels);
    const outcome = String((labels as Partial<Record<string, string | number>>)['outcome']);
    answers[outcome] = (answers[outcome] ?? 0) + value;
  }
  for (const { labels, value } of (await from.upstreamRequests.get()).values) row(labels).requests += value;
  for (const { labels, value } of (await from.sentBytes.get()).values) row(labels).sentBytes += value;
  for (const { labels, value } of (await from.received.get()).values) row(labels).receivedBytes += value;
  return [...rows]
    .map(([upstream, each]) => ({ upstream, ...each }))
    .sort((a, b) => (a.upstream < b.upstream ? -1 : 1));
}

type Definitions = typeof metricDefinitions;
type NamesOf<T> = { [K in keyof Definitions]: Definitions[K]['type'] extends T ? K : never }[keyof Definitions];
type LabelsOf<K extends keyof Definitions> = Definitions[K]['labels'][number];

/** Makes metrics as the table defines them; the compiler checks names and labels. */
function makers(registry: Registry) {
  const base = <K extends keyof Definitions>(name: K) => ({
    name: metricPrefix + name,
    help: metricDefinitions[name].help,
    labelNames: metricDefinitions[name].labels as readonly LabelsOf<K>[],
    registers: [registry],
  });
  return {
    counter: <K extends NamesOf<'counter'>>(name: K) => new Counter<LabelsOf<K>>(base(name)),
    gauge: <K extends NamesOf<'gauge'>>(name: K) => new Gauge<LabelsOf<K>>(base(name)),
    histogram: <K extends NamesOf<'histogram'>>(name: K) =>
      new Histogram<LabelsOf<K>>({ ...base(name), buckets: secondsBuckets }),
    collected: <K extends NamesOf<'counter'>>(name: K, value: () => number) =>
      new Counter<LabelsOf<K>>({
        ...base(name),
        collect() {
          this.reset();
          this.inc(value());
        },
      }),
  };
}

/** The value itself for what is known and the first so many others, `other` from then on; `none` for no value. */
function boundedLabel(max: number, isKnown: (value: string) => boolean = () => false): Label {
  const seen = new Set<string>();
  let others = 0;
  return (value) => {
    if (value === undefined) return 'none';
    if (seen.has(value)) return value;
    if (!isKnown(value)) {
      if (others >= max) return 'other';
      others += 1;
    }
    seen.add(value);
    return value;
  };
}
