import { randomBytes, X509Certificate } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import type { ClientCertificatesConfig, TlsConfig } from '../config/config.ts';
import type { Clock } from '../observe/clock.ts';
import { messageOf, RegistryError } from '../oci/errors.ts';
import type { Dated } from './expiry.ts';
import type { AcmeKeeper } from './acme/keeper.ts';
import type { Challenges } from './acme/challenges.ts';
import type { Authority } from './authority.ts';
import { preferredCiphers } from './ciphers.ts';
import type { Asked, Identity } from './identity.ts';
import { createLeaves } from './leaves.ts';
import type { Leaves } from './leaves.ts';
import { certificateLabel, pemBlocks } from './pem.ts';
import { readPem, readPemPair } from './pem-pair.ts';
import type { PemPair } from './pem-pair.ts';
import { parseSubjectName } from './subject-name.ts';

/** How a port of ours speaks TLS. */
export interface ServerTls {
  /** For a connection that begins. */
  identityFor(asked: Asked): Identity;
  /** For every server that shows an identity. Another object is other settings. */
  readonly settings: TlsSettings;
  readonly clients: ClientCertificatesConfig | undefined;
  /** Plain HTTP is served on the same port. */
  readonly plain: boolean;
  /** Answers those who come to see whether a name leads here. */
  readonly challenges: Challenges | undefined;
}

export type TlsSettings = Pick<
  SecureContextOptions,
  'minVersion' | 'ciphers' | 'ca' | 'ticketKeys' | 'sessionIdContext'
>;

export interface ServerTlsOptions {
  readonly tls: TlsConfig;
  /** Got and kept in the background, for the names that the configuration lists. */
  readonly acme: ((context: () => SecureContextOptions) => Promise<AcmeKeeper>) | undefined;
  /** Signs for names that nothing else covers, where the configuration wants that or has nothing else yet. */
  readonly authority: Authority | undefined;
  /** A name or an address of ours, as clients write it, for those who do not say which they use. */
  readonly ownName: string | undefined;
  readonly clock: Clock;
}

/** What `http.tls` says, with its files read. */
export interface ReloadableServerTls extends ServerTls, AsyncDisposable {
  /** Reads the files again; on an error the old ones stay in use. */
  reload(): Promise<void>;
  readonly dates: readonly Dated[];
}

/** @throws RegistryError `UNAVAILABLE` (origin `operator`), naming the file or the setting */
export async function openServerTls(options: ServerTlsOptions): Promise<ReloadableServerTls> {
  const tls = new ConfiguredTls(options, await read(options, undefined));
  await tls.open();
  return tls;
}

interface Material {
  readonly settings: TlsSettings;
  readonly pair: PemPair | undefined;
  readonly leaves: Leaves | undefined;
}

class ConfiguredTls implements ReloadableServerTls {
  readonly #options: ServerTlsOptions;
  #material: Material;
  #acme: AcmeKeeper | undefined;

  constructor(options: ServerTlsOptions, material: Material) {
    this.#options = options;
    this.#material = material;
  }

  async open(): Promise<void> {
    this.#acme = await this.#options.acme?.(() => this.settings);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#acme?.[Symbol.asyncDispose]();
  }

  get settings(): TlsSettings {
    return this.#material.settings;
  }

  get clients(): ClientCertificatesConfig | undefined {
    return this.#options.tls.clients;
  }

  get plain(): boolean {
    return this.#options.tls.plain;
  }

  get challenges(): Challenges | undefined {
    return this.#acme?.challenges;
  }

  get dates(): readonly Dated[] {
    const validTo = this.#material.pair?.validTo;
    const advice = 'put a new certificate into the files of http.tls, which are read again by themselves';
    const ofFiles = validTo === undefined ? [] : [{ certificate: 'http.tls', validTo, dueAt: validTo, advice }];
    return [...ofFiles, ...(this.#acme?.dates ?? [])];
  }

  identityFor({ serverName, localAddress }: Asked): Identity {
    const { pair, leaves } = this.#material;
    // What is no name was never meant to be checked against the certificate.
    const name = serverName === undefined || parseSubjectName(serverName) === undefined ? undefined : serverName;
    const proved = name === undefined ? undefined : this.#acme?.identityFor(name);
    if (proved !== undefined) return proved;
    if (leaves === undefined || pair?.covers(name ?? localAddress) === true) return assertThere(pair);
    if (name !== undefined) return leaves.leafFor(name);
    const { ownName } = this.#options;
    return leaves.leafFor(localAddress, ...(ownName === undefined ? [] : [ownName]));
  }

  async reload(): Promise<void> {
    const before = this.settings;
    this.#material = await read(this.#options, this.#material);
    if (this.settings !== before) await this.#acme?.reload();
  }
}

async function read({ tls, authority, clock }: ServerTlsOptions, before: Material | undefined): Promise<Material> {
  const ca = await readAuthorities(tls.clients?.authorityPaths ?? []);
  const isSame = before !== undefined && String(before.settings.ca) === String(ca);
  const settings = isSame ? before.settings : settingsOf(tls, ca);
  return {
    settings,
    pair: tls.files && (await readPemPair(tls.files, settings, 'http.tls')),
    leaves: isSame ? before.leaves : authority && createLeaves({ authority, clock, context: settings }),
  };
}

/** Tickets of sessions are as old as the settings: what was allowed under others is not resumed. */
function settingsOf({ minimumVersion, ciphers }: TlsConfig, ca: string[]): TlsSettings {
  return {
    minVersion: minimumVersion,
    ciphers: ciphers ?? preferredCiphers,
    ca,
    ticketKeys: randomBytes(48),
    sessionIdContext: randomBytes(16).toString('hex'),
  };
}

async function readAuthorities(paths: readonly string[]): Promise<string[]> {
  const files = await Promise.all(
    paths.map(async (path) => {
      const blocks = pemBlocks(await readPem(path, 'http.tls.clientcas'), certificateLabel);
      if (blocks.length === 0) throw unusable(path, 'there is no certificate in PEM in it');
      return blocks.map((block) => checkedCertificate(block, path));
    }),
  );
  return files.flat();
}

function checkedCertificate(block: string, path: string): string {
  try {
    return new X509Certificate(block).toString();
  } catch (cause) {
    throw unusable(path, messageOf(cause), cause);
  }
}

function unusable(path: string, what: string, cause?: unknown): RegistryError {
  const message = `http.tls.clientcas: ${path}: ${what}; write a PEM file with the authorities of clients`;
  return new RegistryError('UNAVAILABLE', message, { origin: 'operator', cause });
}

function assertThere(pair: PemPair | undefined): PemPair {
  if (pair === undefined) throw new Error('TLS without a certificate');
  return pair;
}
