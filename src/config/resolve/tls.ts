import { join } from 'node:path';
import type {
  AcmeConfig,
  CertificatesConfig,
  ClientCertificatesConfig,
  Mode,
  PemFiles,
  StorageConfig,
  TlsConfig,
} from '../config.ts';
import type { FileConfig } from '../schema/schema.ts';
import type { Path } from '../tree/tree.ts';
import { tlsCiphers } from '../value/cipher-suite.ts';
import { quoted } from '../value/value-error.ts';
import type { Resolving } from './resolving.ts';

type TlsSection = NonNullable<FileConfig['http']['tls']>;

const tlsPath: Path = ['http', 'tls'];

export interface AroundTls {
  readonly mode: Mode;
  readonly storage: StorageConfig;
}

export function resolveTls(
  tls: FileConfig['http']['tls'],
  { mode, storage }: AroundTls,
  resolving: Resolving,
): TlsConfig | undefined {
  if (tls === undefined) return undefined;
  const files = resolvePair(tls, tlsPath, resolving);
  const auto = tls.auto ?? false;
  const acme = resolveAcme(tls, storage, resolving);
  if (files !== undefined && acme !== undefined)
    resolving.problem([...tlsPath, 'letsencrypt'], 'beside certificate and key; remove one of the two');
  if (files === undefined && acme === undefined && !auto) return undefined;
  const clients = resolveClients(tls, resolving);
  return {
    files,
    acme,
    auto,
    minimumVersion: resolveMinimum(tls, resolving),
    ciphers: resolveCiphers(tls, resolving),
    clients,
    plain: resolvePlain(tls, mode, clients, resolving),
  };
}

/** A certificate and its key: both, or neither. */
function resolvePair(
  { certificate, key }: { readonly certificate?: string | undefined; readonly key?: string | undefined },
  path: Path,
  resolving: Resolving,
): PemFiles | undefined {
  const setting = path.join('.');
  if (certificate === undefined && key === undefined) return undefined;
  if (certificate === undefined)
    resolving.problem([...path, 'key'], `a key without its certificate; write ${setting}.certificate, too`);
  if (key === undefined)
    resolving.problem([...path, 'certificate'], `a certificate without its key; write ${setting}.key, too`);
  if (certificate === undefined || key === undefined) return undefined;
  return {
    certificatePath: resolving.file([...path, 'certificate'], certificate),
    keyPath: resolving.file([...path, 'key'], key),
  };
}

function resolveAcme(
  { letsencrypt }: TlsSection,
  storage: StorageConfig,
  resolving: Resolving,
): AcmeConfig | undefined {
  const { cachefile, email, hosts = [], directoryurl, ca } = letsencrypt ?? {};
  if (letsencrypt === undefined || [cachefile, email, directoryurl, ...hosts].every((each) => each === undefined))
    return undefined;
  const path = [...tlsPath, 'letsencrypt'];
  if (hosts.length === 0) resolving.problem(path, 'for no name; write http.tls.letsencrypt.hosts');
  const names = hosts.map((host) => host.toLowerCase().replace(/\.$/u, ''));
  const wrong = names.find((name) => !publicName.test(name));
  if (wrong !== undefined)
    resolving.problem(
      [...path, 'hosts'],
      `${quoted(wrong)} gets no certificate from a public authority; write public DNS names, such as registry.example.com`,
    );
  const kept = certificatesDirectory(storage);
  return {
    directoryUrl: directoryurl ?? letsEncryptUrl,
    hosts: names,
    email,
    directory: cachefile === undefined ? kept && join(kept, 'letsencrypt') : resolving.path(cachefile),
    caPath: ca === undefined ? undefined : resolving.file([...path, 'ca'], ca),
  };
}

const letsEncryptUrl = 'https://acme-v02.api.letsencrypt.org/directory';
/** More than one part, none of them a star (only DNS could prove that), and the last is not a number's. */
const publicName = /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?=[a-z0-9-]*[a-z])[a-z0-9-]{2,63}$/u;

function resolveMinimum({ minimumtls }: TlsSection, resolving: Resolving): TlsConfig['minimumVersion'] {
  if (minimumtls === 'tls1.0' || minimumtls === 'tls1.1')
    resolving.notices.push(
      `http.tls.minimumtls: ${minimumtls} is not spoken any more (RFC 8996); clients need TLS 1.2, as if tls1.2 were written`,
    );
  return minimumtls === 'tls1.3' ? 'TLSv1.3' : 'TLSv1.2';
}

function resolveCiphers({ ciphersuites, minimumtls }: TlsSection, resolving: Resolving): string | undefined {
  if (ciphersuites === undefined || ciphersuites.length === 0) return undefined;
  if (minimumtls === 'tls1.3') {
    resolving.notices.push('http.tls.ciphersuites is about TLS 1.2 and says nothing where minimumtls is tls1.3');
    return undefined;
  }
  const { ciphers, broken } = tlsCiphers(ciphersuites);
  if (broken.length > 0)
    resolving.notices.push(`http.tls.ciphersuites: ${broken.join(', ')} can be broken and not used any more`);
  return ciphers;
}

function resolveClients(tls: TlsSection, resolving: Resolving): ClientCertificatesConfig | undefined {
  const { clientcas = [], clientauth } = tls;
  if (clientcas.length === 0 && clientauth === undefined) return undefined;
  const how = clientauth ?? 'require-and-verify-client-cert';
  const verified = how === 'verify-client-cert-if-given' || how === 'require-and-verify-client-cert';
  if (verified && clientcas.length === 0)
    resolving.problem(
      [...tlsPath, 'clientauth'],
      'nobody is named whose certificates would do; write http.tls.clientcas, too',
    );
  return {
    authorityPaths: clientcas.map((file, index) => resolving.file([...tlsPath, 'clientcas', index], file)),
    required: how === 'require-any-client-cert' || how === 'require-and-verify-client-cert',
    verified,
  };
}

/** Where certificates of clients are demanded, plain HTTP would be the way round them. */
function resolvePlain(
  { plain }: TlsSection,
  mode: Mode,
  clients: ClientCertificatesConfig | undefined,
  resolving: Resolving,
): boolean {
  const isBarred = clients?.required === true;
  if (plain === true && isBarred)
    resolving.problem(
      [...tlsPath, 'plain'],
      'plain HTTP knows no certificates of clients, and clientauth demands them; remove one of the two',
    );
  const decided = plain ?? (mode === 'entrepot' && !isBarred);
  if (plain === undefined) resolving.derive('http.tls.plain', String(decided));
  return decided;
}

export function resolveCertificates(
  { intercept }: Pick<FileConfig, 'intercept'>,
  storage: StorageConfig,
  resolving: Resolving,
): CertificatesConfig {
  const ca = intercept.ca ?? {};
  return {
    directory: certificatesDirectory(storage),
    interception: { files: resolvePair(ca, ['intercept', 'ca'], resolving), constrain: ca.constrain ?? [] },
  };
}

function certificatesDirectory(storage: StorageConfig): string | undefined {
  return storage.driver === 'filesystem' ? join(storage.rootDirectory, 'entrepot/certificates') : undefined;
}
