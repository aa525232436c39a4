/**
 * The servers that are measured: ours, and the peers that it is measured against.
 */
import { generateKeyPairSync } from 'node:crypto';
import { access, constants, mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeAuthority } from '../../test/support/certificates.ts';
import type { KeyPair, ServerCertificate } from '../../test/support/certificates.ts';
import { freePort } from '../../test/support/ports.ts';
import { UPSTREAM } from './contents.ts';
import { nginxModules, startInterceptingNginx } from './intercepting-nginx.ts';
import { Program } from './program.ts';

export const SUBJECTS = ['entrepot', 'docker-registry'] as const;
export type SubjectName = (typeof SUBJECTS)[number];

export interface Setup {
  /** For its configuration, its log, and whatever it keeps. A second start there finds what the first one kept. */
  readonly directory: string;
  readonly tls?: ServerCertificate | undefined;
}

export interface CacheSetup extends Setup {
  /** The origin that it is a cache of. */
  readonly upstream: string;
  /** Of Entrepot's configuration: at the top, and for the upstream. */
  readonly settings?: object;
  readonly upstreamSettings?: object;
}

export interface Server extends Program {
  readonly name: string;
  readonly origin: string;
}

/** A proxy in whose tunnels TLS ends. */
export interface Intercepting extends Program {
  readonly name: string;
  readonly proxyPort: number;
  /** PEM of the authority in whose name it does. */
  readonly ca: string;
}

/** A program or module of Debian's, and the package that has it. */
const TOOLS = {
  'docker-registry': 'docker-registry',
  nginx: 'nginx-light',
  'ngx_stream_js_module.so': 'libnginx-mod-stream-js',
  wrk: 'wrk',
} as const;

export type Tool = keyof typeof TOOLS;

export interface MachineOptions {
  /** `docker-registry` is measured in Entrepot's place to prove the suites, not the server. */
  readonly subject: SubjectName;
  /** A directory for CPU profiles of Entrepot, one for each time it is started. */
  readonly profiles?: string | undefined;
}

export class Machine {
  readonly subject: SubjectName;
  readonly #profiles: string | undefined;
  readonly #present: ReadonlySet<Tool>;

  private constructor({ subject, profiles }: MachineOptions, present: ReadonlySet<Tool>) {
    this.subject = subject;
    this.#profiles = profiles;
    this.#present = present;
  }

  static async look(options: MachineOptions): Promise<Machine> {
    const tools = Object.keys(TOOLS) as Tool[];
    const present = await Promise.all(tools.map(isInstalled));
    return new Machine(options, new Set(tools.filter((_, position) => present[position])));
  }

  /** What the subject is called in tables: docker-registry may be there twice. */
  get subjectName(): string {
    return this.subject === 'docker-registry' ? 'docker-registry (cache)' : this.subject;
  }

  has(tool: Tool): boolean {
    return this.#present.has(tool);
  }

  /** What to install, one sentence a missing tool. */
  missing(): string[] {
    const missing = Object.entries(TOOLS).filter(([tool]) => !this.has(tool as Tool));
    return missing.map(([tool, debian]) => `${tool} is not installed; to compare with it: apt-get install ${debian}`);
  }

  /** The subject, as a cache. */
  async startSubject(setup: CacheSetup): Promise<Server> {
    await mkdir(setup.directory, { recursive: true });
    if (this.subject === 'entrepot') return startEntrepot(setup, this.#profiles);
    const proxy = { remoteurl: setup.upstream };
    return startRegistry(this.subjectName, setup, join(setup.directory, 'registry'), { proxy });
  }

  /** The subject, as a registry that is pushed to. */
  async startHost(setup: Setup): Promise<Server> {
    await mkdir(setup.directory, { recursive: true });
    // Nothing is asked of the upstream.
    if (this.subject === 'entrepot') return startEntrepot({ ...setup, upstream: 'http://127.0.0.1:9' }, this.#profiles);
    return startRegistry(`${this.subject} (subject)`, setup, join(setup.directory, 'registry'));
  }

  /** docker-registry with the content of a directory in its own layout. `undefined` if it is not installed. */
  async startRegistry(setup: Setup, rootDirectory: string): Promise<Server | undefined> {
    await mkdir(setup.directory, { recursive: true });
    return this.has('docker-registry') ? startRegistry('docker-registry', setup, rootDirectory) : undefined;
  }

  /** The subject, as a proxy that its clients trust. */
  async startIntercepting(setup: Omit<CacheSetup, 'tls'>): Promise<Intercepting> {
    const subject = await this.startSubject({ ...setup, directory: join(setup.directory, 'subject') });
    const ca = await (await fetch(`${subject.origin}/ca.crt?ca=interception`)).text();
    return Object.assign(subject, { proxyPort: Number(new URL(subject.origin).port), ca });
  }

  /** nginx that does the same. `undefined` if it is not installed. */
  async startInterceptingPeer({ directory, upstream }: CacheSetup): Promise<Intercepting | undefined> {
    if (!this.has('nginx') || !this.has('ngx_stream_js_module.so')) return undefined;
    const { ca, ...certificate } = chainOfRsa(UPSTREAM);
    const setup = { directory: join(directory, 'nginx'), upstream, certificate };
    return Object.assign(await startInterceptingNginx(setup), { name: 'nginx', ca });
  }

  /** nginx serving files whose paths are the URLs'. `undefined` if it is not installed. */
  async startNginx(setup: Setup, www: string): Promise<Server | undefined> {
    await mkdir(setup.directory, { recursive: true });
    return this.has('nginx') ? startNginx(setup, www) : undefined;
  }
}

/** As docker-registry-proxy makes and sends it: an authority and one below it of 4096 bits, and a server's of 2048. */
function chainOfRsa(name: string): ServerCertificate & { readonly ca: string } {
  const rsa = (modulusLength: number): KeyPair => generateKeyPairSync('rsa', { modulusLength });
  const root = makeAuthority('Root', rsa(4096));
  const intermediate = root.subordinate('Intermediate', rsa(4096));
  const { cert, key } = intermediate.issue([name], 'server', rsa(2048));
  return { cert: cert + intermediate.ca + root.ca, key, ca: root.ca };
}

/** The path of a blob or manifest, as containerd asks for it. Servers that know no `ns` do not mind it. */
export function pathOf(repository: string, kind: 'blobs' | 'manifests', reference: string): string {
  return `/v2/${repository}/${kind}/${reference}?ns=${UPSTREAM}`;
}

async function startEntrepot(setup: CacheSetup, profiles: string | undefined): Promise<Server> {
  const { directory, tls, upstream, settings, upstreamSettings } = setup;
  const port = await freePort();
  const config = {
    version: 0.1,
    http: { addr: `127.0.0.1:${port}`, debug: { addr: '127.0.0.1:0' }, ...(await tlsSection(directory, tls)) },
    storage: { filesystem: { rootdirectory: join(directory, 'registry') } },
    upstreams: { [UPSTREAM]: { url: upstream, freshness: '1h', ...upstreamSettings } },
    ...settings,
  };
  const file = await writeJson(directory, config);
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
  const profiling = profiles === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profiles];
  return start('entrepot', setup, port, process.execPath, [...profiling, main, 'serve', file]);
}

async function startRegistry(name: string, setup: Setup, rootdirectory: string, more: object = {}): Promise<Server> {
  const port = await freePort();
  // As Debian's own configuration has it.
  const storage = { cache: { blobdescriptor: 'inmemory' }, filesystem: { rootdirectory }, delete: { enabled: true } };
  const http = { addr: `127.0.0.1:${port}`, ...(await tlsSection(setup.directory, setup.tls)) };
  const file = await writeJson(setup.directory, { version: 0.1, storage, http, ...more });
  return start(name, setup, port, 'docker-registry', ['serve', file]);
}

async function startNginx(setup: Setup, www: string): Promise<Server> {
  const port = await freePort();
  const { directory, tls } = setup;
  const certificate = tls && (await tlsSection(directory, tls)).tls;
  const configuration = `
    daemon off;
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    worker_processes auto;
    pid ${directory}/nginx.pid;
    error_log ${directory}/error.log;
    events { worker_connections 1024; }
    http {
      access_log ${directory}/access.log;
      sendfile on;
      tcp_nopush on;
      keepalive_requests 1000000000;
      client_body_temp_path ${directory}/tmp;
      server {
        listen 127.0.0.1:${port} ${certificate ? 'ssl' : ''};
        ${certificate ? `ssl_certificate ${certificate.certificate}; ssl_certificate_key ${certificate.key};` : ''}
        root ${www};
      }
    }`;
  const file = join(directory, 'nginx.conf');
  await writeFile(file, configuration);
  return start('nginx', setup, port, 'nginx', ['-p', directory, '-e', `${directory}/error.log`, '-c', file]);
}

async function start(
  name: string,
  { directory, tls }: Setup,
  port: number,
  command: string,
  args: readonly string[],
): Promise<Server> {
  const program = await Program.start({ command, args, port, log: join(directory, 'output.log') });
  return Object.assign(program, { name, origin: `${tls ? 'https' : 'http'}://127.0.0.1:${port}` });
}

interface TlsSection {
  readonly tls: { readonly certificate: string; readonly key: string };
}

/** registry's keys, which are ours. */
async function tlsSection(directory: string, tls: ServerCertificate): Promise<TlsSection>;
async function tlsSection(directory: string, tls: ServerCertificate | undefined): Promise<TlsSection | object>;
async function tlsSection(directory: string, tls: ServerCertificate | undefined): Promise<TlsSection | object> {
  if (!tls) return {};
  const [certificate, key] = [join(directory, 'certificate.pem'), join(directory, 'key.pem')];
  await Promise.all([writeFile(certificate, tls.cert), writeFile(key, tls.key)]);
  return { tls: { certificate, key } };
}

/** JSON is YAML. */
async function writeJson(directory: string, config: object): Promise<string> {
  const file = join(directory, 'config.yml');
  await writeFile(file, JSON.stringify(config, undefined, 2));
  return file;
}

async function isInstalled(tool: Tool): Promise<boolean> {
  const directories = [...(process.env.PATH ?? '').split(delimiter), nginxModules];
  const found = await Promise.all(
    directories.map((directory) =>
      access(join(directory, tool), tool.endsWith('.so') ? constants.R_OK : constants.X_OK).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.includes(true);
}
