import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LabEnvironment } from '../lab/environment.ts';
import { Daemon } from '../lab/process.ts';
import { listens } from '../lab/ready.ts';
import { cacheAuthority, cacheHost } from '../lab/server.ts';

const shipped = join(import.meta.dirname, '../../../deploy/proxies');

/** A proxy that people put in front, with the file that we ship for it. */
export interface Front {
  readonly name: string;
  readonly program: string;
  /** Starts it on port 443 of the server's own name. */
  start(environment: LabEnvironment): Promise<Daemon>;
}

export const nginx: Front = {
  name: 'nginx',
  program: 'nginx',
  async start(environment) {
    const directory = await directoryOf(environment, 'nginx');
    const site = join(directory, 'site.conf');
    await writeFile(site, await shippedFor(environment, 'nginx.conf'));
    const main = `daemon off; pid ${directory}/pid; error_log ${directory}/error.log; user root; worker_processes 1;
      events {}
      http { access_log off; client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy; include ${site}; }`;
    const file = join(directory, 'nginx.conf');
    await writeFile(file, main);
    return run('nginx', ['nginx', '-p', directory, '-e', `${directory}/error.log`, '-c', file], directory);
  },
};

export const haproxy: Front = {
  name: 'HAProxy',
  program: 'haproxy',
  async start(environment) {
    const directory = await directoryOf(environment, 'haproxy');
    const file = join(directory, 'haproxy.cfg');
    await writeFile(file, await shippedFor(environment, 'haproxy.cfg'));
    return run('HAProxy', ['haproxy', '-db', '-f', file], directory);
  },
};

export const caddy: Front = {
  name: 'Caddy',
  program: 'caddy',
  async start(environment) {
    const directory = await directoryOf(environment, 'caddy');
    const file = join(directory, 'Caddyfile');
    // The lab's only change besides names: no port 80, no administration.
    const options = '{\n\tadmin off\n\tauto_https disable_redirects\n}\n';
    await writeFile(file, options + (await shippedFor(environment, 'Caddyfile')));
    return run('Caddy', ['caddy', 'run', '--adapter', 'caddyfile', '--config', file], directory, {
      XDG_DATA_HOME: directory,
      XDG_CONFIG_HOME: directory,
    });
  },
};

/** The file as it is shipped, with the lab's names in the place of the examples. */
async function shippedFor({ work }: LabEnvironment, name: string): Promise<string> {
  const certificates = join(work, 'fronts');
  const text = await readFile(join(shipped, name), 'utf8');
  return text
    .replaceAll('/etc/ssl/registry.example.com', join(certificates, 'front'))
    .replaceAll('registry.example.com', cacheHost)
    .replaceAll('127.0.0.1:5000', cacheAuthority);
}

async function directoryOf({ work }: LabEnvironment, name: string): Promise<string> {
  const directory = join(work, 'fronts', name);
  await mkdir(directory, { recursive: true });
  const [certificate, key] = await Promise.all(
    ['cache.pem', 'cache.key'].map((file) => readFile(join(work, 'pki', file), 'utf8')),
  );
  // HAProxy wants both in one file; the others do not mind.
  await writeFile(join(work, 'fronts/front.pem'), `${certificate}${key}`);
  await writeFile(join(work, 'fronts/front.key'), key ?? '');
  return directory;
}

async function run(
  name: string,
  argv: readonly string[],
  directory: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Daemon> {
  const ready = (): Promise<boolean> => listens({ host: cacheHost, port: 443 });
  return Daemon.start({ name, argv, env, logPath: join(directory, 'log'), ready });
}
