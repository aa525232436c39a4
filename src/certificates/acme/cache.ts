import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectories } from '../../config/make-directories.ts';
import { messageOf, RegistryError } from '../../oci/errors.ts';
import { certificateLabel, keyLabel, pemBlocks } from '../pem.ts';

/** PEM: a certificate with its chain, and its key. */
export interface Issued {
  readonly cert: string;
  readonly key: string;
}

/**
 * What `registry:2` keeps at `http.tls.letsencrypt.cachefile`, which is a directory, and as it keeps it: either goes on
 * with what the other has got.
 *
 *     acme_account+key     the account's key, P-256
 *     registry.example     the key, then the certificate and its chain
 *
 * Files are readable by their owner alone, and appear whole.
 */
export class AcmeCache {
  readonly #directory: string | undefined;
  #unkept: KeyObject | undefined;

  /** @param directory without one, nothing outlives the process */
  constructor(directory: string | undefined) {
    this.#directory = directory;
  }

  /**
   * Made when there is none.
   * @throws RegistryError `UNAVAILABLE` (origin `operator`) where it cannot be read, used or kept
   */
  async accountKey(): Promise<KeyObject> {
    const text = await this.#read(accountFile);
    if (text !== undefined) return this.#parsed(text);
    this.#unkept ??= generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    await this.#write(accountFile, this.#unkept.export({ type: 'sec1', format: 'pem' }));
    return this.#unkept;
  }

  /**
   * `undefined` when there is none, or none in what is there.
   * @throws RegistryError `UNAVAILABLE` (origin `operator`) where it cannot be read
   */
  async certificate(host: string): Promise<Issued | undefined> {
    const text = (await this.#read(host)) ?? '';
    const cert = pemBlocks(text, certificateLabel).join('\n');
    const [key] = pemBlocks(text, keyLabel);
    return cert === '' || key === undefined ? undefined : { cert: `${cert}\n`, key: `${key}\n` };
  }

  /** @throws RegistryError `UNAVAILABLE` (origin `operator`) */
  async keep(host: string, { cert, key }: Issued): Promise<void> {
    await this.#write(host, key + cert);
  }

  #parsed(text: string): KeyObject {
    const [block = ''] = pemBlocks(text, keyLabel);
    try {
      const key = createPrivateKey(block);
      if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key;
      throw new Error('it is of another kind than P-256');
    } catch (cause) {
      const path = join(this.#directory ?? '', accountFile);
      const message = `the key of the ACME account in ${path} cannot be used (${messageOf(cause)}); move it away, and a new one is made`;
      throw new RegistryError('UNAVAILABLE', message, { origin: 'operator', cause });
    }
  }

  async #read(name: string): Promise<string | undefined> {
    if (this.#directory === undefined) return undefined;
    try {
      return await readFile(join(this.#directory, name), 'utf8');
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
      throw failure('read', this.#directory, cause);
    }
  }

  async #write(name: string, text: string): Promise<void> {
    if (this.#directory === undefined) return;
    const aside = join(this.#directory, `.${name}.${randomBytes(8).toString('hex')}`);
    try {
      await makeDirectories(this.#directory, 0o700);
      await writeDurably(aside, text);
      await rename(aside, join(this.#directory, name));
    } catch (cause) {
      throw failure('written', this.#directory, cause);
    } finally {
      await rm(aside, { force: true });
    }
  }
}

const accountFile = 'acme_account+key';

async function writeDurably(path: string, text: string): Promise<void> {
  await using file = await open(path, 'wx', 0o600);
  await file.writeFile(text);
  await file.sync();
}

function failure(done: string, directory: string, cause: unknown): RegistryError {
  const message = `what http.tls.letsencrypt.cachefile keeps cannot be ${done} (${messageOf(cause)}); give the user that runs entrepot access to ${directory}`;
  return new RegistryError('UNAVAILABLE', message, { origin: 'operator', cause });
}
