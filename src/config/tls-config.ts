/** How clients are spoken to over TLS, and who vouches for us. Part of `Config`. */

/** At least one of `files`, `auto` and `acme`. */
export interface TlsConfig {
  readonly files: PemFiles | undefined;
  /** For public names, certificates from an ACME server. */
  readonly acme: AcmeConfig | undefined;
  /** For names that the files do not cover, a certificate from our own authority. */
  readonly auto: boolean;
  readonly minimumVersion: 'TLSv1.2' | 'TLSv1.3';
  /** By OpenSSL's names, with colons between them; undefined is what Node takes. */
  readonly ciphers: string | undefined;
  readonly clients: ClientCertificatesConfig | undefined;
  /** Plain HTTP is served on the same port; otherwise it is told to use TLS. */
  readonly plain: boolean;
}

export interface AcmeConfig {
  readonly directoryUrl: string;
  /** Lower case. */
  readonly hosts: readonly string[];
  readonly email: string | undefined;
  /** Where certificates are kept; undefined where nothing is kept. */
  readonly directory: string | undefined;
  /** A PEM file with further authorities to trust the ACME server by. */
  readonly caPath: string | undefined;
}

/** A certificate, then its chain; and the certificate's key. */
export interface PemFiles {
  readonly certificatePath: string;
  readonly keyPath: string;
}

/** Who may sign the certificates of clients; without one they are asked for and not believed. */
export interface ClientCertificatesConfig {
  readonly authorityPaths: readonly string[];
  readonly required: boolean;
  /** What is shown has to be signed by one of the authorities. */
  readonly verified: boolean;
}

export interface CertificatesConfig {
  /** Where authorities of our own are kept; undefined where nothing is kept. */
  readonly directory: string | undefined;
  readonly interception: {
    /** The operator's authority, instead of one of ours. */
    readonly files: PemFiles | undefined;
    /** Domains and addresses that one of ours may sign for; empty is all of them. */
    readonly constrain: readonly string[];
  };
}
