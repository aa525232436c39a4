import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assertGolden } from '../../test/support/golden.ts';
import { requestDone } from '../../test/support/request-done.ts';
import { digestOf } from '../oci/digest.ts';
import { metricDefinitions, metricPrefix, metricsReference, processDefinitions } from './metric-definitions.ts';
import { createMetrics } from './metrics.ts';

const digest = digestOf('content');

async function samples(emit: (metrics: ReturnType<typeof createMetrics>) => void): Promise<Map<string, number>> {
  const metrics = createMetrics({ version: '1.2.3', droppedLines: () => 7 });
  metrics.know([{ name: 'quay.io' }]);
  emit(metrics);
  const lines = (await metrics.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

describe('metrics', () => {
  test('are documented', () => {
    assertGolden('docs/metrics.md', metricsReference());
  });

  test('are all there from the start under their documented names', async () => {
    const text = await createMetrics({ version: '1.2.3', droppedLines: () => 0 }).text();
    const typed = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`);
    const expected = [
      ...Object.entries(metricDefinitions).map(([name, { type }]) => `${metricPrefix}${name} ${type}`),
      ...Object.entries(processDefinitions).map(([name, { type }]) => `${name} ${type}`),
    ];
    assert.deepEqual(typed.sort(), expected.sort());
  });

  test('count every one of many that are alike, and others between them', async () => {
    const found = await samples((metrics) => {
      for (let round = 0; round < 1_000; round += 1) {
        const outcome = round % 300 === 0 ? 'miss' : 'hit';
        metrics.emit(requestDone({ upstream: 'quay.io', bytes: 2, outcome, firstByteMs: 3 }));
        metrics.emit({ type: 'cache.answered', upstream: 'quay.io', object: 'manifest', outcome });
      }
    });
    assert.equal(found.get('entrepot_requests_total{method="GET",status="200"}'), 1_000);
    assert.equal(found.get('entrepot_sent_bytes_total{upstream="quay.io"}'), 2_000);
    for (const [outcome, count] of [
      ['miss', 4],
      ['hit', 996],
    ] as const) {
      const labels = `upstream="quay.io",outcome="${outcome}"`;
      assert.equal(found.get(`entrepot_first_byte_seconds_count{${labels}}`), count);
      const answers = `upstream="quay.io",object="manifest",outcome="${outcome}"`;
      assert.equal(found.get(`entrepot_cache_answers_total{${answers}}`), count);
    }
  });

  test('count what clients got', async () => {
    const found = await samples((metrics) => {
      metrics.emit(requestDone({ upstream: 'quay.io', bytes: 100, outcome: 'hit', firstByteMs: 3 }));
      metrics.emit(requestDone({ upstream: 'quay.io', bytes: 20, complete: false, method: 'BREW' }));
      metrics.emit(requestDone({ status: 404, errorCode: 'MANIFEST_UNKNOWN', origin: 'upstream' }));
    });
    assert.equal(found.get('entrepot_requests_total{method="GET",status="200"}'), 1);
    assert.equal(found.get('entrepot_requests_total{method="other",status="200"}'), 1);
    assert.equal(found.get('entrepot_requests_total{method="GET",status="404"}'), 1);
    assert.equal(found.get('entrepot_sent_bytes_total{upstream="quay.io"}'), 120);
    assert.equal(found.get('entrepot_sent_bytes_total{upstream="none"}'), 1234);
    assert.equal(found.get('entrepot_cut_responses_total{upstream="quay.io"}'), 1);
    assert.equal(found.get('entrepot_errors_total{code="MANIFEST_UNKNOWN",origin="upstream"}'), 1);
    assert.equal(found.get('entrepot_first_byte_seconds_bucket{le="0.0025",upstream="quay.io",outcome="hit"}'), 0);
    assert.equal(found.get('entrepot_first_byte_seconds_bucket{le="0.005",upstream="quay.io",outcome="hit"}'), 1);
  });

  test('count what upstreams saw, by class of status', async () => {
    const base = { type: 'upstream.request', upstream: 'quay.io', method: 'GET', ms: 12, failure: undefined } as const;
    const found = await samples((metrics) => {
      metrics.emit({ ...base, kind: 'blob', status: 206, bytes: 10 });
      metrics.emit({ ...base, kind: 'blob', status: 200, bytes: 5 });
      metrics.emit({ ...base, kind: 'token', status: 0, bytes: 0, failure: 'UPSTREAM_TIMEOUT' });
    });
    assert.equal(found.get('entrepot_upstream_requests_total{upstream="quay.io",kind="blob",status="2xx"}'), 2);
    assert.equal(found.get('entrepot_upstream_requests_total{upstream="quay.io",kind="token",status="none"}'), 1);
    assert.equal(found.get('entrepot_upstream_received_bytes_total{upstream="quay.io",kind="blob"}'), 15);
    assert.equal(found.get('entrepot_upstream_failures_total{upstream="quay.io",code="UPSTREAM_TIMEOUT"}'), 1);
    assert.equal(found.get('entrepot_upstream_request_seconds_count{upstream="quay.io",kind="blob"}'), 2);
  });

  test('show circuit, limit, cache and lost lines as they last were', async () => {
    const found = await samples((metrics) => {
      metrics.emit({ type: 'upstream.circuit', upstream: 'quay.io', state: 'open', reason: 'dns' });
      metrics.emit({ type: 'upstream.circuit', upstream: 'ghcr.io', state: 'open', reason: 'dns' });
      metrics.emit({ type: 'upstream.circuit', upstream: 'ghcr.io', state: 'closed', reason: '' });
      metrics.emit({ type: 'upstream.limit', upstream: 'docker.io', limit: 100, remaining: 76 });
      metrics.emit({ type: 'cache.size', bytes: 5, limitBytes: 50, heldBytes: 8 });
      metrics.emit({ type: 'cache.evicted', repository: 'a', digest, bytes: 9, reason: 'size' });
    });
    assert.equal(found.get('entrepot_upstream_circuit_open{upstream="quay.io"}'), 1);
    assert.equal(found.get('entrepot_upstream_circuit_open{upstream="ghcr.io"}'), 0);
    assert.equal(found.get('entrepot_upstream_limit{upstream="docker.io"}'), 100);
    assert.equal(found.get('entrepot_upstream_limit_remaining{upstream="docker.io"}'), 76);
    assert.equal(found.get('entrepot_cache_bytes'), 5);
    assert.equal(found.get('entrepot_cache_limit_bytes'), 50);
    assert.equal(found.get('entrepot_held_bytes'), 8);
    assert.equal(found.get('entrepot_evicted_bytes_total{reason="size"}'), 9);
    assert.equal(found.get('entrepot_log_lines_dropped_total'), 7);
    assert.equal(found.get(`entrepot_build_info{version="1.2.3",node="${process.versions.node}"}`), 1);
  });

  test('show a download as open once, however often it was resumed', async () => {
    const base = { type: 'download', upstream: 'quay.io', repository: 'a/b', bytes: 0, ms: 0 } as const;
    const other = digestOf('other');
    const found = await samples((metrics) => {
      metrics.emit({ ...base, step: 'started', digest });
      metrics.emit({ ...base, step: 'resumed', digest });
      metrics.emit({ ...base, step: 'started', digest: other });
      metrics.emit({ ...base, step: 'stored', digest: other });
    });
    assert.equal(found.get('entrepot_downloads_open{upstream="quay.io"}'), 1);
    assert.equal(found.get('entrepot_downloads_resumed_total{upstream="quay.io"}'), 1);
    assert.equal(found.get('entrepot_downloads_total{upstream="quay.io",end="stored"}'), 1);
  });

  test('stay bounded however many names are asked for', async () => {
    const found = await samples((metrics) => {
      for (let i = 0; i < 300; i++) metrics.emit(requestDone({ upstream: `team${i}.gcr.io`, bytes: 1 }));
      metrics.emit(requestDone({ upstream: 'quay.io', bytes: 7 }));
    });
    const series = [...found.keys()].filter((name) => name.startsWith('entrepot_sent_bytes_total'));
    assert.equal(series.length, 202);
    assert.equal(found.get('entrepot_sent_bytes_total{upstream="quay.io"}'), 7, 'what is known is never another');
    assert.equal(found.get('entrepot_sent_bytes_total{upstream="other"}'), 100);
  });

  test('sum up per upstream for the admin API', async () => {
    const metrics = createMetrics({ version: 'x', droppedLines: () => 0 });
    metrics.emit(requestDone({ upstream: 'quay.io', bytes: 100 }));
    metrics.emit({ type: 'cache.answered', upstream: 'quay.io', object: 'blob', outcome: 'hit' });
    metrics.emit({ type: 'cache.answered', upstream: 'quay.io', object: 'manifest', outcome: 'hit' });
    metrics.emit({ type: 'cache.answered', upstream: 'docker.io', object: 'blob', outcome: 'miss' });
    assert.deepEqual(await metrics.upstreamTotals(), [
      { upstream: 'docker.io', answers: { miss: 1 }, requests: 0, sentBytes: 0, receivedBytes: 0 },
      { upstream: 'quay.io', answers: { hit: 2 }, requests: 0, sentBytes: 100, receivedBytes: 0 },
    ]);
  });
});
