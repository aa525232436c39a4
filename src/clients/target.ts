/** The cache as a client sees it. */
export interface ClientTarget {
  /** Without a trailing slash: `http://cache:5000`. */
  readonly url: string;
  /**
   * `every`: all upstreams, by `?ns=` or by path. `one`: every name is `upstreams[0]`'s, as in registry's pull-through
   * mode. `none`: a plain registry that caches nothing.
   */
  readonly serves: 'every' | 'one' | 'none';
  /** Names; may hold wildcards. */
  readonly upstreams: readonly string[];
  /** `undefined` only where nothing is cached. */
  readonly defaultUpstream: string | undefined;
  /** Vouches for `url`, where that is our own and has to be given to clients. */
  readonly authority: ClientAuthority | undefined;
  /** Vouches for every registry that is reached through it as a proxy; `undefined` where it is none. */
  readonly interception: ClientAuthority | undefined;
}

export interface ClientAuthority {
  /** `undefined` as long as nobody has asked the server for it. */
  readonly pem: string | undefined;
}

/** `cache:5000` of `http://cache:5000`, as it stands in an image name: with the port, also where it is the default. */
export function hostOf(target: ClientTarget): string {
  const { protocol, hostname, port } = new URL(target.url);
  return `${hostname}:${port === '' ? (protocol === 'https:' ? '443' : '80') : port}`;
}

export function isPlainHttp(target: ClientTarget): boolean {
  return target.url.startsWith('http:');
}

/** Only the machine of the server itself reaches it by such a name. */
export function isLoopback({ url }: ClientTarget): boolean {
  return /^(?:127\.[\d.]+|\[::1\]|localhost)$/.test(new URL(url).hostname);
}

/** Names that a client's file can be given one by one. */
export function exactUpstreams({ serves, upstreams, defaultUpstream }: ClientTarget): readonly string[] {
  if (serves === 'every') return upstreams.filter((name) => !name.includes('*'));
  return serves === 'one' && defaultUpstream !== undefined ? [defaultUpstream] : [];
}

export function wildcardUpstreams({ serves, upstreams }: ClientTarget): readonly string[] {
  return serves === 'every' ? upstreams.filter((name) => name.includes('*')) : [];
}

/** An image to try it with, by the name that it has in the world; `undefined` where only the path leads here. */
export function exampleImage({ serves, defaultUpstream }: ClientTarget): string {
  if (serves === 'every') return 'quay.io/prometheus/prometheus:latest';
  return defaultUpstream === 'docker.io' ? 'docker.io/library/redis:latest' : `${defaultUpstream}/NAME:TAG`;
}
