import type { UpstreamConfig } from './config.ts';

/**
 * An upstream about which nothing is said but its name: every default of `upstreams.*`.
 * The one place where these numbers stand; the schema quotes them as text and a test holds the two together.
 */
export function plainUpstream(name: string, given: Partial<UpstreamConfig> = {}): UpstreamConfig {
  return {
    name,
    aliases: [],
    builtIn: false,
    named: true,
    url: `https://${name}`,
    library: false,
    mirrors: [],
    credentials: { kind: 'none' },
    exposure: 'authenticated',
    realms: [],
    freshness: [{ tags: '*', forMs: 60_000 }],
    keep: { notfound: true, denied: true },
    allow: ['**'],
    deny: [],
    concurrency: 16,
    ranges: 4,
    bandwidthBytesPerSecond: Number.POSITIVE_INFINITY,
    caPath: undefined,
    insecure: false,
    proxy: undefined,
    timeouts: { connectMs: 5_000, headersMs: 10_000, stallMs: 30_000 },
    dial: [],
    resolver: [],
    family: 'any',
    ...given,
  };
}
