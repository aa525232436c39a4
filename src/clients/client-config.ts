/** What a client machine needs to pull through the cache: exactly what to put where. Pure; nothing here touches a file. */
export interface ClientConfig {
  readonly runtime: string;
  /** What this does, in a sentence. */
  readonly purpose: string;
  readonly files: readonly ClientFile[];
  /** Run on the client machine, in this order, for the files to count. */
  readonly commands: readonly string[];
  /** Pulls that come here then. */
  readonly examples: readonly string[];
  readonly notes: readonly string[];
}

export interface ClientFile {
  readonly path: string;
  /** `create`: the file is ours alone. `merge`: these keys belong into a file that may be there already. */
  readonly action: 'create' | 'merge';
  /** When only some versions want it. */
  readonly when: string | undefined;
  readonly content: string;
}

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
}

/** `cache:5000` of `http://cache:5000`, as it stands in an image name: with the port, also where it is the default. */
export function hostOf(target: ClientTarget): string {
  const { protocol, hostname, port } = new URL(target.url);
  return `${hostname}:${port === '' ? (protocol === 'https:' ? '443' : '80') : port}`;
}

export function isPlainHttp(target: ClientTarget): boolean {
  return target.url.startsWith('http:');
}

export function clientConfigText(config: ClientConfig): string {
  const out = [`# ${config.purpose}`, ''];
  for (const file of config.files) {
    const when = file.when === undefined ? '' : ` (${file.when})`;
    out.push(`# ${file.action === 'merge' ? 'Into' : 'The file'} ${file.path}${when}:`, '', file.content.trimEnd(), '');
  }
  if (config.commands.length > 0) out.push('# Then run:', '', ...config.commands, '');
  if (config.examples.length > 0) out.push('# Try:', '', ...config.examples, '');
  for (const note of config.notes) out.push(`# Note: ${note}`);
  return `${out.join('\n').trimEnd()}\n`;
}
