import type { PemFiles } from '../config/config.ts';
import type { Authority, AuthorityKind, Trusted } from './authority.ts';
import { readPem } from './pem-pair.ts';
import { readSigner } from './signer.ts';
import type { Signer } from './signer.ts';

export interface GivenOptions {
  readonly kind: AuthorityKind;
  readonly files: PemFiles;
  /** The configuration's key of the two, for errors: `intercept.ca`. */
  readonly setting: string;
}

/**
 * The operator's own authority, or an intermediate of theirs.
 * @throws RegistryError `UNAVAILABLE` (origin `operator`)
 */
export async function openGivenAuthority(options: GivenOptions): Promise<Authority> {
  return new GivenAuthority(options, await read(options));
}

class GivenAuthority implements Authority {
  readonly kind: AuthorityKind;
  readonly #options: GivenOptions;
  #signer: Signer;

  constructor(options: GivenOptions, signer: Signer) {
    this.kind = options.kind;
    this.#options = options;
    this.#signer = signer;
  }

  signer(): Signer {
    return this.#signer;
  }

  trusted(): readonly Trusted[] {
    const { root, fingerprint, validTo } = this.#signer;
    return [{ root, fingerprint, validTo, signsFrom: undefined }];
  }

  async reload(): Promise<void> {
    this.#signer = await read(this.#options);
  }
}

async function read({ files: { certificatePath, keyPath }, setting }: GivenOptions): Promise<Signer> {
  const [certificate, key] = await Promise.all([
    readPem(certificatePath, `${setting}.certificate`),
    readPem(keyPath, `${setting}.key`),
  ]);
  return readSigner(certificate, key, setting);
}
