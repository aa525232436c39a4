/**
 * The way of docker-registry-proxy's clients, which dockerd's HTTPS_PROXY makes: a tunnel for every request, and TLS in it.
 */
import { join } from 'node:path';
import { makeBlob } from '../test/support/images.ts';
import { basic } from '../test/support/logins.ts';
import { BIG_BLOB, images, UPSTREAM } from './support/contents.ts';
import { Helper } from './support/helper.ts';
import type { Flow, ReaderOperations, Tunnelling } from './support/readers-main.ts';
import { GIB, median, medianRatio, MIB } from './support/statistics.ts';
import type { Intercepting } from './support/subjects.ts';
import { count, ratio } from './support/suite.ts';
import type { Bench, Limit, Row, Suite, Unit } from './support/suite.ts';
import { startUpstream } from './support/upstream.ts';
import type { Upstream } from './support/upstream.ts';

const CROWD = { repository: 'bench/crowd', size: 32 * MIB, seed: 'crowd' } as const;
const CLIENTS = 50;
const SMALL_REQUESTS = 100;
/** A server runs for weeks: what it takes to compile it is no part of a request. */
const WARM_UP_ROUNDS = 12;

export const tunnel: Suite = {
  name: 'tunnel',
  about:
    'through HTTPS_PROXY: a held blob of 1 GiB, small requests each over a new tunnel, 50 cold clients, private pulls; the peer is nginx with TLS (a chain of RSA certificates, tickets) and proxy_cache as docker-registry-proxy has it, with CONNECT answered by njs; resumed handshakes of ours are compared with whole ones of its, which are what clients such as dockerd make with it',
  async run(bench) {
    if (bench.machine.subject !== 'entrepot') throw new Error('docker-registry is no proxy: leave this suite out');
    await using readers = new Helper<ReaderOperations>('./readers-main.ts');
    return [...(await publicContent(bench, readers)), ...(await privateContent(bench, readers))];
  },
};

async function publicContent(bench: Bench, readers: Helper<ReaderOperations>): Promise<Row[]> {
  await using upstream = await startUpstream();
  await upstream.ask('publishBlob', BIG_BLOB);
  await upstream.ask('publishBlob', CROWD);
  await upstream.ask('publishImages', 1);
  await using open = new AsyncDisposableStack();
  const options = { directory: bench.directory, upstream: upstream.origin };
  const subject = open.use(await bench.machine.startIntercepting(options));
  const peer = open.use(await bench.machine.startInterceptingPeer(options));
  const measuring = new Measuring(bench, readers, subject, peer);
  return [...(await measuring.crowd(upstream)), ...(await measuring.small()), ...(await measuring.big(upstream))];
}

type Results<T> = ReadonlyMap<Intercepting, readonly T[]>;

class Measuring {
  readonly #bench: Bench;
  readonly #readers: Helper<ReaderOperations>;
  readonly #subject: Intercepting;
  readonly #peer: Intercepting | undefined;

  constructor(bench: Bench, readers: Helper<ReaderOperations>, subject: Intercepting, peer: Intercepting | undefined) {
    this.#bench = bench;
    this.#readers = readers;
    this.#subject = subject;
    this.#peer = peer;
  }

  async crowd(upstream: Upstream): Promise<Row[]> {
    this.#bench.say(`${CLIENTS} cold clients`);
    const { digest } = makeBlob(CROWD.size, CROWD.seed);
    const url = urlOf(CROWD.repository, 'blobs', digest);
    const [sent, failures]: [Record<string, number>, Record<string, number>] = [{}, {}];
    for (const { name, proxyPort, ca } of this.#servers) {
      await upstream.ask('reset', undefined);
      const arrivals = await this.#readers.ask('once', { url, clients: CLIENTS, withinMs: 50, ca, proxyPort });
      failures[name] = arrivals.filter(({ complete, status }) => !complete || status !== 200).length;
      sent[name] = (await upstream.ask('blobBytes', digest)).sent;
    }
    const { name } = this.#subject;
    return [
      {
        what: `fetched upstream for ${CLIENTS} cold clients`,
        unit: 'bytes',
        values: sent,
        bar: count(sent[name] ?? NaN, { atMost: CROWD.size }),
      },
      {
        what: 'cold clients not served',
        unit: 'failures',
        values: failures,
        bar: count(failures[name] ?? NaN, { atMost: 0 }),
      },
    ];
  }

  async small(): Promise<Row[]> {
    this.#bench.say('small requests');
    const [image] = images(1);
    if (image === undefined) return [];
    const url = urlOf(image.repository, 'manifests', image.content.digest);
    const urls = Array.from({ length: SMALL_REQUESTS }, () => url);
    const rows: Row[] = [];
    this.#bench.say('small requests: until both have seen enough of them to be as fast as they get');
    for (const resumes of [false, true]) await this.#rounds(WARM_UP_ROUNDS, { urls, resumes });
    const whole = await this.#rounds(this.#bench.short ? 3 : 10, { urls });
    const resumed = await this.#rounds(this.#bench.short ? 3 : 10, { urls, resumes: true });
    const rate = (each: Cost): number => each.rate;
    for (const [how, results, atLeast] of [
      ['whole handshake', whole, 1],
      ['resumed session', resumed, undefined],
    ] as const) {
      const what = `small requests, each a tunnel with a ${how}`;
      rows.push(
        this.#row(results, what, 'requests/s', rate, atLeast && { atLeast }),
        this.#row(
          results,
          `CPU of each, with a ${how}`,
          'us/request',
          (each) => (each.cpuSeconds / SMALL_REQUESTS) * 1e6,
        ),
      );
    }
    const ours = new Map(
      [...resumed].map(([server, all]) => [server, server === this.#subject ? all : (whole.get(server) ?? [])]),
    );
    rows.push(this.#row(ours, 'ours resumed, others whole', 'requests/s', rate, { atLeast: 2 }));
    return rows;
  }

  async big(upstream: Upstream): Promise<Row[]> {
    const blob = makeBlob(BIG_BLOB.size, BIG_BLOB.seed);
    const urls = [urlOf(BIG_BLOB.repository, 'blobs', blob.digest)];
    this.#bench.say('1 GiB: first reads');
    await this.#rounds(1, { urls });
    await upstream.ask('reset', undefined);
    this.#bench.say('1 GiB');
    const results = await this.#rounds(this.#bench.short ? 3 : 10, { urls });
    const { sent } = await upstream.ask('blobBytes', blob.digest);
    return [
      this.#row(results, 'CPU of a held GiB', 's/GiB', (each) => each.cpuSeconds / (each.bytes / GIB), { atMost: 0.6 }),
      { what: 'fetched again', unit: 'bytes', values: { [this.#subject.name]: sent }, bar: count(sent, { atMost: 0 }) },
    ];
  }

  get #servers(): Intercepting[] {
    return [this.#subject, this.#peer].filter((server) => server !== undefined);
  }

  async #rounds(times: number, what: Pick<Tunnelling, 'urls' | 'resumes'>): Promise<Results<Cost>> {
    const results = new Map(this.#servers.map((server) => [server, [] as Cost[]]));
    for (let round = 0; round < times; round++) {
      for (const [server, all] of results) all.push(await costOf(server, this.#readers, what));
    }
    return results;
  }

  #row(results: Results<Cost>, what: string, unit: Unit, pick: (cost: Cost) => number, limit?: Limit): Row {
    const series = new Map([...results].map(([server, all]) => [server, all.map(pick)]));
    const values = Object.fromEntries([...series].map(([{ name }, all]) => [name, median(all)]));
    const peer = this.#peer && series.get(this.#peer);
    return { what, unit, values, bar: limit && ratio(medianRatio(series.get(this.#subject) ?? [], peer), limit) };
  }
}

interface Cost {
  readonly cpuSeconds: number;
  readonly bytes: number;
  readonly rate: number;
}

async function costOf(
  { name, group, proxyPort, ca }: Intercepting,
  readers: Helper<ReaderOperations>,
  what: Pick<Tunnelling, 'urls' | 'resumes'>,
): Promise<Cost> {
  const before = group.cpuSeconds();
  const { bytes, ms, finished, failures } = await readers.ask('throughTunnels', { ...what, proxyPort, ca });
  if (failures.length > 0) throw new Error(`${name} failed: ${failures.join('; ')}`);
  return { cpuSeconds: group.cpuSeconds() - before, bytes, rate: finished / (ms / 1000) };
}

/** Whoever brings a new token shows once with it that he may read; all else is here. */
async function privateContent({ machine, directory, say }: Bench, readers: Helper<ReaderOperations>): Promise<Row[]> {
  say('private pulls');
  const [image] = images(1);
  if (image === undefined) return [];
  const { repository, tag, content } = image;
  const login = { user: 'alice', password: 'a-password' };
  const auth = { kind: 'bearer', users: { [login.user]: login.password }, private: [repository] } as const;
  await using upstream = await startUpstream({ auth });
  await upstream.ask('publishImages', 1);
  const options = { directory: join(directory, 'private'), upstream: upstream.origin };
  await using subject = await machine.startIntercepting(options);
  const blobs = content.blobs.map(({ digest }) => urlOf(repository, 'blobs', digest));
  const urls = [urlOf(repository, 'manifests', tag), urlOf(repository, 'manifests', content.digest), ...blobs];
  const token = (): Promise<string> => tokenAt(upstream.origin, repository, login);
  const pull = async (authorization: string): Promise<Flow> => {
    const { ca, proxyPort } = subject;
    return await readers.ask('throughTunnels', { urls, ca, proxyPort, authorization });
  };
  const failures = [...(await pull(await token())).failures];
  const tokens = await Promise.all(Array.from({ length: 5 }, token));
  await upstream.ask('reset', undefined);
  for (const each of [...tokens, ...tokens]) failures.push(...(await pull(each)).failures);
  const asked = await upstream.ask('count', {});
  const heads = await upstream.ask('count', { method: 'HEAD' });
  const of = (value: number) => ({ [subject.name]: value });
  return [
    {
      what: `asked upstream for ${tokens.length * 2} private pulls with ${tokens.length} tokens`,
      unit: 'requests',
      values: of(asked),
      bar: count(asked, { atMost: tokens.length }),
    },
    { what: 'of them HEAD', unit: 'requests', values: of(heads), bar: count(heads, { atLeast: asked }) },
    {
      what: 'private reads refused',
      unit: 'failures',
      values: of(failures.length),
      bar: count(failures.length, { atMost: 0 }),
    },
  ];
}

async function tokenAt(origin: string, repository: string, { user, password }: { user: string; password: string }) {
  const query = new URLSearchParams({ service: 'registry.test', scope: `repository:${repository}:pull` });
  const response = await fetch(`${origin}/token?${query.toString()}`, { headers: basic(user, password) });
  const { token } = (await response.json()) as { readonly token: string };
  return `Bearer ${token}`;
}

function urlOf(repository: string, kind: 'blobs' | 'manifests', reference: string): string {
  return `https://${UPSTREAM}/v2/${repository}/${kind}/${reference}`;
}
