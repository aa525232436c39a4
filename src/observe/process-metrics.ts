import { readdir } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge } from '@prometheus-io/client';
import type { Registry } from '@prometheus-io/client';
import { processDefinitions } from './metric-definitions.ts';

/** How often the delay of the event loop is sampled, in milliseconds: rare enough to leave an idle process idle. */
const delaySampleMs = 50;

/** Registers the standard metrics of a process; all are read when somebody asks, none on a timer. */
export function registerProcessMetrics(registry: Registry): void {
  const delay = monitorEventLoopDelay({ resolution: delaySampleMs });
  delay.enable();
  const gauge = (name: keyof typeof processDefinitions, read: () => number | Promise<number>): void => {
    const { help } = processDefinitions[name];
    const metric = new Gauge({
      name,
      help,
      registers: [],
      async collect() {
        this.set(await read());
      },
    });
    registry.registerMetric(metric);
  };
  const startedSeconds = Math.round(performance.timeOrigin) / 1000;
  const processor = new Counter({
    name: 'process_cpu_seconds_total',
    help: processDefinitions.process_cpu_seconds_total.help,
    registers: [],
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  registry.registerMetric(processor);
  gauge('process_resident_memory_bytes', () => process.memoryUsage.rss());
  gauge('process_start_time_seconds', () => startedSeconds);
  gauge('process_open_fds', openDescriptors);
  gauge('nodejs_heap_used_bytes', () => process.memoryUsage().heapUsed);
  gauge('nodejs_external_memory_bytes', () => process.memoryUsage().external);
  gauge('nodejs_eventloop_lag_p99_seconds', () => seconds(delay.percentile(99)));
  // Read last: a scrape sees what happened since the one before.
  gauge('nodejs_eventloop_lag_max_seconds', () => {
    const max = seconds(delay.max);
    delay.reset();
    return max;
  });
}

/** Nanoseconds, of which the sampling itself takes its share; an empty histogram says nonsense. */
function seconds(nanoseconds: number): number {
  const lag = nanoseconds / 1e9 - delaySampleMs / 1000;
  return Number.isFinite(lag) && lag > 0 && lag < 1e6 ? lag : 0;
}

/** `NaN` where the system doesn't tell. */
async function openDescriptors(): Promise<number> {
  try {
    // The directory itself is open while it is read.
    return (await readdir('/proc/self/fd')).length - 1;
  } catch {
    return Number.NaN;
  }
}
