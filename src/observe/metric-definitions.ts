/** Every metric of ours: the one table from which they are made, documented (`docs/metrics.md`) and tested. */
export interface MetricDefinition {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
}

export const metricDefinitions = {
  build_info: gauge('Always 1; the labels say what runs.', 'version', 'node'),

  requests_total: counter('Requests answered.', 'method', 'status'),
  errors_total: counter('Requests answered with an error, by its code and by whose fault it was.', 'code', 'origin'),
  first_byte_seconds: histogram(
    'From a request to the first byte of its answer, by what the cache did for it (none: nothing to do).',
    'upstream',
    'outcome',
  ),
  sent_bytes_total: counter('Body bytes handed to clients.', 'upstream'),
  cut_responses_total: counter(
    'Answers that ended early: the client went away, or the content turned out bad.',
    'upstream',
  ),

  cache_answers_total: counter(
    'What the cache answered from: hit, miss, stale (held, the upstream could not be asked), revalidated, coalesced (joined a running download).',
    'upstream',
    'object',
    'outcome',
  ),
  cache_bytes: gauge(
    'Bytes of cached content in the store, as the limit counts it: without what a hosted repository has as well.',
  ),
  cache_limit_bytes: gauge('Bytes of cached content that may be in the store.'),
  held_bytes: gauge('Bytes of all content in the store, cached and hosted, each blob once.'),
  evictions_total: counter('Images and blobs evicted.', 'reason'),
  evicted_bytes_total: counter('Bytes freed by eviction.', 'reason'),
  quarantined_total: counter('Blobs at rest that were found to be gone, or to be wrong and put aside.'),

  collections_total: counter('Times that what nothing refers to any more was collected.'),
  collected_manifests_total: counter('Manifests without a tag that were let go by collection.'),
  collected_blobs_total: counter('Blobs of hosted repositories that were let go by collection.'),
  collected_bytes_total: counter('Bytes freed by collection.'),
  collection_seconds: histogram('How long a collection took.'),

  upstream_requests_total: counter(
    'Requests of ours to an upstream, its token service or where it redirected us; status is a class, or none without an answer.',
    'upstream',
    'kind',
    'status',
  ),
  upstream_request_seconds: histogram('How long those requests took, bodies included.', 'upstream', 'kind'),
  upstream_received_bytes_total: counter('Body bytes received from upstreams.', 'upstream', 'kind'),
  upstream_failures_total: counter('Requests to upstreams that failed, by error code.', 'upstream', 'code'),
  upstream_circuit_open: gauge(
    '1 from a failure of this upstream until a request to it succeeds: requests go without it, but for one every few seconds, if there are any.',
    'upstream',
  ),
  upstream_limit: gauge('Requests that the upstream grants in its window.', 'upstream'),
  upstream_limit_remaining: gauge('Requests that are left in that window, as the upstream last said.', 'upstream'),
  upstream_lies_total: counter('Content thrown away because it was not what its digest says.', 'upstream'),

  downloads_open: gauge('Downloads that are arriving now.', 'upstream'),
  downloads_total: counter(
    'Downloads ended: stored, unstored (served but not kept), suspended (to be resumed), failed.',
    'upstream',
    'end',
  ),
  downloads_resumed_total: counter('Times a broken-off download went on where it was.', 'upstream'),

  health_check_failing: gauge('1 while this health check fails, so that every request is refused.', 'check'),

  notices_waiting: gauge('Notifications that wait for an endpoint to take them.', 'endpoint'),
  notices_total: counter(
    'Notifications: taken by their endpoint, refused (and sent again), dropped because their queue was full.',
    'endpoint',
    'result',
  ),

  proxy_passed_total: counter(
    'Connections through the proxy to hosts that are not intercepted, so that nothing of theirs is cached: tunnelled or refused.',
    'host',
    'how',
  ),
  store_failures_total: counter(
    'Operations of the store or the index that failed: in downloads, pushes, deletes.',
    'operation',
    'code',
  ),
  task_failures_total: counter('Background tasks that failed.', 'task'),
  refused_logins_total: counter('Logins with a wrong user or password.'),
  certificate_expiry_timestamp_seconds: gauge(
    'When a certificate of ours ends, in seconds since the epoch: that of http.tls, those of its names from an ACME server, and our certificate authorities.',
    'certificate',
  ),
  certificate_failures_total: counter('Times an ACME server gave no certificate.', 'certificate'),
  config_reloads_total: counter('Times the configuration was read again; result is ok or invalid.', 'result'),
  log_lines_dropped_total: counter('Log lines lost because nobody read them fast enough.'),
} as const satisfies Readonly<Record<string, MetricDefinition>>;

export type MetricName = keyof typeof metricDefinitions;

/** The standard metrics of a process, under the names that dashboards know. */
export const processDefinitions = {
  process_cpu_seconds_total: counter('Processor time used, user and system.'),
  process_resident_memory_bytes: gauge('Resident memory.'),
  process_start_time_seconds: gauge('When the process started, in seconds since the epoch.'),
  process_open_fds: gauge('Open file descriptors.'),
  nodejs_heap_used_bytes: gauge('JavaScript heap in use.'),
  nodejs_external_memory_bytes: gauge('Memory of buffers outside the JavaScript heap.'),
  nodejs_eventloop_lag_p99_seconds: gauge('99th percentile of the delay of the event loop since the last scrape.'),
  nodejs_eventloop_lag_max_seconds: gauge('Longest delay of the event loop since the last scrape.'),
} as const satisfies Readonly<Record<string, MetricDefinition>>;

export const metricPrefix = 'entrepot_';

/** Bounds of the histograms, in seconds. */
export const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** The content of `docs/metrics.md`. */
export function metricsReference(): string {
  const ours = Object.entries(metricDefinitions).map(([name, each]) => row(metricPrefix + name, each));
  const standard = Object.entries(processDefinitions).map(([name, each]) => row(name, each));
  return [
    '# Metrics',
    '',
    'Generated from `src/observe/metric-definitions.ts`; `UPDATE_GOLDEN=1 node --test src/observe/metrics.test.ts` writes it anew.',
    '',
    'Prometheus text, at `/metrics` of the debug listener: 127.0.0.1:5001, or what `http.debug.addr` says. A Prometheus on another',
    "machine needs `http.debug.addr: :5001` (nothing there asks for a login: keep that port to yourselves). A file of registry's, the image's",
    'default file among them, serves metrics only where it says so: `http.debug: { addr: :5001, prometheus: { enabled: true } }`.',
    '',
    'Metrics and log lines follow from the same events.',
    'The label `upstream` is a name from the configuration or the built-in table; `none` where no upstream was involved,',
    '`other` once there are too many hosts of wildcards and others that no table names.',
    '',
    '| metric | type | labels | meaning |',
    '|---|---|---|---|',
    ...ours,
    ...standard,
    '',
    `Buckets of the histograms, in seconds: ${secondsBuckets.join(', ')}.`,
    '',
  ].join('\n');
}

function row(name: string, { type, labels, help }: MetricDefinition): string {
  return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`;
}

function counter<const L extends string>(help: string, ...labels: readonly L[]) {
  return { type: 'counter', help, labels } as const;
}

function gauge<const L extends string>(help: string, ...labels: readonly L[]) {
  return { type: 'gauge', help, labels } as const;
}

function histogram<const L extends string>(help: string, ...labels: readonly L[]) {
  return { type: 'histogram', help, labels } as const;
}
