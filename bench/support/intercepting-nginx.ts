/**
 * nginx in the place of docker-registry-proxy, which is nginx: a tunnel leads to a server of its own that ends its TLS
 * and keeps what comes from upstream in `proxy_cache`. Debian has no module for CONNECT: a dozen lines of njs answer it
 * here, before the bytes go on by the same `stream` proxy as they would by that module's. As there, sessions are resumed by
 * tickets alone and nothing is said of `sendfile`.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServerCertificate } from '../../test/support/certificates.ts';
import { freePort } from '../../test/support/ports.ts';
import { Program } from './program.ts';

/** Where Debian's packages have them. */
export const nginxModules = '/usr/lib/nginx/modules';

export interface InterceptingSetup {
  readonly directory: string;
  readonly upstream: string;
  /** For the name of the upstream: a chain. */
  readonly certificate: ServerCertificate;
}

export async function startInterceptingNginx(
  setup: InterceptingSetup,
): Promise<Program & { readonly proxyPort: number }> {
  const { directory, certificate } = setup;
  await mkdir(directory, { recursive: true });
  const [port, tlsPort] = [await freePort(), await freePort()];
  await Promise.all([
    writeFile(join(directory, 'certificate.pem'), certificate.cert),
    writeFile(join(directory, 'key.pem'), certificate.key),
    writeFile(join(directory, 'tunnel.js'), answerConnect),
    writeFile(join(directory, 'nginx.conf'), configuration(setup, port, tlsPort)),
  ]);
  const args = ['-p', directory, '-e', join(directory, 'error.log'), '-c', join(directory, 'nginx.conf')];
  const program = await Program.start({ command: 'nginx', args, port: tlsPort, log: join(directory, 'output.log') });
  return Object.assign(program, { proxyPort: port });
}

const answerConnect = `
  function open(s) {
    let head = '';
    s.on('upload', function (data, flags) {
      head += data;
      const end = head.indexOf('\\r\\n\\r\\n');
      if (end < 0) return;
      if (!head.startsWith('CONNECT ')) return s.deny();
      s.off('upload');
      s.sendDownstream('HTTP/1.1 200 Connection Established\\r\\n\\r\\n');
    });
  }
  export default { open };`;

function configuration({ directory, upstream }: InterceptingSetup, port: number, tlsPort: number): string {
  return `
    daemon off;
    load_module ${nginxModules}/ngx_stream_module.so;
    load_module ${nginxModules}/ngx_stream_js_module.so;
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    worker_processes auto;
    pid ${directory}/nginx.pid;
    error_log ${directory}/error.log;
    events { worker_connections 1024; }
    stream {
      js_path ${directory};
      js_import tunnel from tunnel.js;
      server {
        listen 127.0.0.1:${port};
        js_filter tunnel.open;
        proxy_pass 127.0.0.1:${tlsPort};
      }
    }
    http {
      access_log ${directory}/access.log;
      keepalive_requests 1000000000;
      client_body_temp_path ${directory}/body;
      proxy_temp_path ${directory}/temp;
      proxy_cache_path ${directory}/cache levels=1:2 keys_zone=cache:10m max_size=32g inactive=60d use_temp_path=off;
      server {
        listen 127.0.0.1:${tlsPort} ssl;
        ssl_certificate ${directory}/certificate.pem;
        ssl_certificate_key ${directory}/key.pem;
        location / {
          proxy_pass ${upstream};
          proxy_max_temp_file_size 0;
          proxy_ignore_headers X-Accel-Expires Expires Cache-Control Set-Cookie Vary;
          proxy_cache cache;
          proxy_cache_key $uri;
          proxy_cache_valid 200 206 60d;
          proxy_cache_lock on;
          proxy_cache_lock_timeout 880s;
          proxy_cache_lock_age 900s;
        }
      }
    }`;
}
