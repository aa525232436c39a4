import type { ClientTarget } from './target.ts';

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
  /**
   * What a file that is there becomes; without it, `content` takes its place.
   * @throws RegistryError when that cannot be done without losing something
   */
  readonly into?: (before: string) => string;
}

/** The certificate of our own authority as a file; none where clients need none. */
export function authorityFile({ authority, url }: ClientTarget, path: string): readonly ClientFile[] {
  if (authority === undefined) return [];
  const content = authority.pem ?? `(what this prints: curl -fsSk "${url}/ca.crt?ca=server")\n`;
  return [{ path, action: 'create', when: undefined, content }];
}

/** For a certificate of an authority that is neither ours nor, perhaps, known to the machine. */
export function* strangersNote({ url, authority }: ClientTarget, whatToDo: string): Iterable<string> {
  if (url.startsWith('https:') && authority === undefined) {
    yield `When its certificate is of an authority that the machine does not know: ${whatToDo}.`;
  }
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
