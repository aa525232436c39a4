import { Secret } from '../../config/secret.ts';
import type { Credential, CredentialSource, CredentialSurroundings } from '../credentials.ts';
import { askHelper } from './helper.ts';
import { Remembered } from './remembered.ts';
import { dockerServerName, isHub } from './server-name.ts';
import { WatchedFile } from './watched-file.ts';

/** A helper does not say how long its answer is good. In milliseconds. */
const rememberedMs = 300_000;

/**
 * What `docker login` (or podman, or a Kubernetes pull secret) left: `credHelpers`, then `credsStore`, then `auths`.
 * Read again when the file changes.
 */
export function dockerConfigCredentials(
  path: string,
  { url, clock, environment }: Pick<CredentialSurroundings, 'url' | 'clock' | 'environment'>,
): CredentialSource {
  const file = new WatchedFile(path, (text) => parseDockerConfig(text, path));
  let helped: { readonly config: DockerConfig; readonly source: Remembered } | undefined;
  return {
    async get() {
      const config = await file.get();
      const helper = helperFor(config, url);
      if (helper !== undefined) {
        const ask = async () => ({
          credential: await askHelper(helper, dockerServerName(url), clock, environment),
          forMs: rememberedMs,
        });
        if (helped?.config !== config) helped = { config, source: new Remembered(clock, ask) };
        const found = await helped.source.get();
        if (found !== undefined) return found;
      }
      return authFor(config, url);
    },
    refused: () => helped?.source.refused(),
  };
}

interface DockerConfig {
  readonly auths: Readonly<Record<string, unknown>>;
  readonly credHelpers: Readonly<Record<string, unknown>>;
  readonly credsStore: unknown;
}

function parseDockerConfig(text: string, path: string): DockerConfig {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw new Error(`${path} is not JSON`);
  }
  const { auths, credHelpers, credsStore } = record(content);
  return { auths: record(auths), credHelpers: record(credHelpers), credsStore };
}

function helperFor({ credHelpers, credsStore }: DockerConfig, url: URL): string | undefined {
  const hosts = isHub(url) ? ['https://index.docker.io/v1/', 'index.docker.io', 'docker.io'] : [url.host];
  const own = hosts.map((host) => credHelpers[host]).find((helper) => typeof helper === 'string' && helper !== '');
  const chosen = own ?? credsStore;
  return typeof chosen === 'string' && chosen !== '' ? chosen : undefined;
}

function authFor({ auths }: DockerConfig, url: URL): Credential | undefined {
  const hosts = isHub(url) ? ['index.docker.io', 'docker.io', url.host] : [url.host];
  for (const host of hosts) {
    for (const [key, entry] of Object.entries(auths)) {
      const credential = hostOfKey(key) === host ? credentialOf(record(entry)) : undefined;
      if (credential !== undefined) return credential;
    }
  }
  return undefined;
}

/** `https://index.docker.io/v1/` and `index.docker.io` are one; a key for a repository alone is not this registry's. */
function hostOfKey(key: string): string | undefined {
  const [, host, path = ''] = /^(?:https?:\/\/)?([^/]+)(\/.*)?$/.exec(key) ?? [];
  return /^\/?(?:v[12]\/?)?$/.test(path) ? host?.toLowerCase() : undefined;
}

function credentialOf(entry: Readonly<Record<string, unknown>>): Credential | undefined {
  const field = (name: string): string => (typeof entry[name] === 'string' ? entry[name] : '');
  if (field('identitytoken') !== '') return { kind: 'refresh', token: new Secret(field('identitytoken')) };
  if (field('registrytoken') !== '') return { kind: 'bearer', token: new Secret(field('registrytoken')) };
  const decoded = Buffer.from(field('auth'), 'base64').toString();
  const colon = decoded.indexOf(':');
  // Docker pads what it stores with NUL.
  const username = field('username') || decoded.slice(0, Math.max(colon, 0));
  const password = field('password') || (colon < 0 ? '' : decoded.slice(colon + 1).replace(/\0+$/, ''));
  return username === '' || password === ''
    ? undefined
    : { kind: 'password', username, password: new Secret(password) };
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}
