/** TLS for a listener of a test, from a certificate that the test has made. */
import { pemPair } from '../../src/certificates/pem-pair.ts';
import type { ServerTls, TlsSettings } from '../../src/certificates/server-tls.ts';
import type { ServerCertificate } from './certificates.ts';

export function serverTls(
  { cert, key }: ServerCertificate,
  { settings = {}, ...more }: Partial<Omit<ServerTls, 'identityFor'>> = {},
): ServerTls {
  const defaults: TlsSettings = { minVersion: 'TLSv1.2', ...settings };
  const pair = pemPair(cert, key, defaults, 'http.tls');
  return {
    identityFor: () => pair,
    settings: defaults,
    clients: undefined,
    plain: true,
    challenges: undefined,
    ...more,
  };
}
