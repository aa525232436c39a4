import type { SecureContext } from 'node:tls';

/** What a TLS server shows to clients. Another object is another certificate. */
export interface Identity {
  /** PEM: the certificate, then what stands between it and those who trust it. */
  readonly cert: string;
  /** PEM */
  readonly key: string;
  readonly context: SecureContext;
}

/** What a client wants us to be. */
export interface Asked {
  /** The name that it sent (SNI). Nobody sends one for an address. */
  readonly serverName: string | undefined;
  /** Our end of its connection. */
  readonly localAddress: string;
}
