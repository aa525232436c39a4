import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { LabEnvironment } from '../lab/environment.ts';
import { registries } from '../internet/sites.ts';
import { Daemon, run } from '../lab/process.ts';
import { listens } from '../lab/ready.ts';
import { cacheAuthority, cacheHost, cachePort } from '../lab/server.ts';

/** The one user there is. */
export const user = 'ann';
export const password = 'correct horse: ü';

/** The server under test, set up to know who somebody is. */
export interface LoginServer {
  readonly name: string;
  /** Short, for paths. */
  readonly id: string;
  /** Whoever has not logged in can pull. */
  readonly isOpen: boolean;
  /** A user may not push everywhere. */
  readonly isRuled: boolean;
  /** Why it cannot run here. */
  lacks(environment: LabEnvironment): string | undefined;
  open(environment: LabEnvironment, directory: string): Promise<AsyncDisposableStack>;
}

/** What registry:2 does with the same file: a challenge of Basic, and nothing without a login. */
export const closedServer: LoginServer = {
  name: 'htpasswd',
  id: 'users',
  isOpen: false,
  isRuled: false,
  lacks: () => undefined,
  async open(environment, directory) {
    const resources = new AsyncDisposableStack();
    const auth = { htpasswd: { realm: 'The lab', path: await usersIn(directory) } };
    resources.use(await serve(environment, directory, { auth }));
    return resources;
  },
};

/** A challenge of Bearer, with tokens of our own, beside what anybody may pull. */
export const openServer: LoginServer = {
  name: 'htpasswd and two rules',
  id: 'rules',
  isOpen: true,
  isRuled: true,
  lacks: () => undefined,
  async open(environment, directory) {
    const resources = new AsyncDisposableStack();
    const upstream = { ca: join(environment.work, 'pki/ca.pem'), dial: ['10.77.0.0/24'] };
    const content = {
      auth: { htpasswd: { realm: 'The lab', path: await usersIn(directory) } },
      access: [
        { who: 'anonymous', may: 'pull', on: '**' },
        { who: user, may: ['pull', 'push', 'delete'], on: `${user}/**` },
      ],
      hosted: { names: [`${user}/**`, 'local/**'] },
      upstreams: Object.fromEntries(Object.keys(registries).map((name) => [name, upstream])),
    };
    resources.use(await serve(environment, directory, content));
    return resources;
  },
};

const tokenPort = 5001;

/** Tokens of registry's own token service, which gives each user what begins with its name. */
export const tokenServer: LoginServer = {
  name: "another's token service",
  id: 'tokens',
  isOpen: false,
  isRuled: true,
  lacks: ({ cache }) => (existsSync(join(cache, 'token-server')) ? undefined : 'there is no token service here'),
  async open(environment, directory) {
    const resources = new AsyncDisposableStack();
    const names = { realm: `https://${cacheHost}:${tokenPort}/token/`, service: 'registry.lab', issuer: 'tokens.lab' };
    const signer = await signerIn(directory);
    resources.use(await startTokenService(environment, directory, { ...names, key: signer.key }));
    const auth = { token: { ...names, rootcertbundle: signer.certificate } };
    resources.use(await serve(environment, directory, { auth }));
    return resources;
  },
};

/** Users who show a certificate, beside what anybody may pull. */
export const certificateServer: LoginServer = {
  name: 'certificates of clients',
  id: 'certs',
  isOpen: true,
  isRuled: true,
  lacks: () => undefined,
  async open(environment, directory) {
    const resources = new AsyncDisposableStack();
    const clients = { clientcas: [join(environment.work, 'pki/ca.pem')], clientauth: 'verify-client-cert-if-given' };
    const content = {
      access: [
        { who: 'anonymous', may: 'pull', on: '**' },
        { who: user, may: ['pull', 'push', 'delete'], on: `${user}/**` },
      ],
      hosted: { names: [`${user}/**`, 'local/**'] },
    };
    resources.use(await serve(environment, directory, content, clients));
    return resources;
  },
};

async function serve({ work }: LabEnvironment, directory: string, content: object, tls: object = {}): Promise<Daemon> {
  const config = join(directory, 'config.json');
  const certificate = { certificate: join(work, 'pki/cache.pem'), key: join(work, 'pki/cache.key') };
  const whole = {
    version: 0.1,
    http: { addr: cacheAuthority, tls: { ...certificate, ...tls } },
    storage: { filesystem: { rootdirectory: join(directory, 'storage') }, delete: { enabled: true } },
    ...content,
  };
  await writeFile(config, JSON.stringify(whole));
  return Daemon.start({
    name: 'the server under test',
    argv: [process.execPath, 'src/main.ts', 'serve', config],
    logPath: join(directory, 'server.log'),
    ready: () => listens({ host: cacheHost, port: cachePort }),
  });
}

/** Made with the command that people are told to make it with. */
async function usersIn(directory: string): Promise<string> {
  const path = join(directory, 'users');
  await run([process.execPath, 'src/main.ts', 'htpasswd', user, '--file', path], { input: `${password}\n` });
  return path;
}

async function signerIn(directory: string) {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = join(directory, 'signer.key');
  const certificate = join(directory, 'signer.pem');
  await writeFile(
    key,
    createPrivateKey(privateKey.export({ format: 'pem', type: 'pkcs8' })).export({ format: 'pem', type: 'sec1' }),
  );
  await run(['openssl', 'req', '-x509', '-key', key, '-days', '30', '-subj', '/CN=tokens.lab', '-out', certificate]);
  return { key, certificate };
}

async function startTokenService(
  { work, cache }: LabEnvironment,
  directory: string,
  { realm, issuer, key }: { readonly realm: string; readonly issuer: string; readonly key: string },
): Promise<Daemon> {
  await mkdir(directory, { recursive: true });
  const flags = {
    issuer,
    realm,
    key,
    addr: `${cacheHost}:${tokenPort}`,
    passwd: await usersIn(directory),
    tlscert: join(work, 'pki/cache.pem'),
    tlskey: join(work, 'pki/cache.key'),
  };
  return Daemon.start({
    name: 'the token service',
    argv: [join(cache, 'token-server'), ...Object.entries(flags).map(([flag, value]) => `-${flag}=${value}`)],
    logPath: join(directory, 'tokens.log'),
    ready: () => listens({ host: cacheHost, port: tokenPort }),
  });
}
