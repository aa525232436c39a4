import { z } from 'zod';
import { parseListenAddress, parseListenPlace, parseNetwork, parsePathPrefix } from '../value/address.ts';
import { parseCipherSuite } from '../value/cipher-suite.ts';
import { parseHeaders } from '../value/headers.ts';
import { parseHttpsUrl, parseRegistryUrl } from '../value/url.ts';
import { parsedBy } from '../value/value-error.ts';
import { flag, list, listOf, registryDuration, text } from './values.ts';

const tlsSchema = z.strictObject({
  certificate: text().optional().describe('A PEM file: our certificate, then its chain.'),
  key: text().optional().describe("A PEM file: the certificate's key."),
  minimumtls: z
    .enum(['tls1.0', 'tls1.1', 'tls1.2', 'tls1.3'])
    .prefault('tls1.2')
    .describe('The oldest TLS version that is accepted: tls1.2 or tls1.3; older ones mean tls1.2.'),
  auto: flag()
    .optional()
    .describe('A certificate from our own CA for whatever name the client asks for, made at first start.'),
  plain: flag()
    .optional()
    .describe(
      'Plain HTTP is served on the same port. Default: true; false in registry mode, and where certificates of clients are demanded.',
    ),
  clientcas: list().optional().describe('PEM files: who may sign the certificates of clients.'),
  clientauth: z
    .enum([
      'request-client-cert',
      'require-any-client-cert',
      'verify-client-cert-if-given',
      'require-and-verify-client-cert',
    ])
    .optional()
    .describe('What is asked of the certificates of clients. Default with clientcas: require-and-verify-client-cert.'),
  ciphersuites: listOf(parseCipherSuite)
    .optional()
    .describe('The cipher suites of TLS 1.2 that are accepted, by their Go names.'),
  letsencrypt: z
    .strictObject({
      cachefile: text()
        .optional()
        .describe(
          'A directory: where certificates are kept, as registry keeps them. Default: `<rootdirectory>/entrepot/certificates/letsencrypt`.',
        ),
      email: text().optional().describe('Whom the ACME server tells.'),
      hosts: list().optional().describe('The names to get certificates for.'),
      directoryurl: parsedBy(z.string(), parseHttpsUrl).optional().describe('The directory of another ACME server.'),
      ca: text().optional().describe('A PEM file: further authorities to trust the ACME server by.'),
    })
    .optional()
    .describe("Certificates for public names, from Let's Encrypt or another ACME server."),
});

const debugSchema = z.strictObject({
  addr: parsedBy(z.string(), parseListenAddress)
    .optional()
    .describe(
      'Where metrics and health are served, to anybody. Default: 127.0.0.1:5001; nowhere in registry mode, where whoever reaches it may also `POST /debug/health/down` and `up`.',
    ),
  prometheus: z
    .strictObject({
      enabled: flag().optional().describe('Serve metrics. Default: true; false in registry mode.'),
      path: text().prefault('/metrics').describe('Where they are.'),
    })
    .prefault({})
    .describe('Metrics for Prometheus.'),
});

export const httpSchema = z.strictObject({
  addr: listOf(parseListenPlace)
    .optional()
    .describe(
      'Where to listen, `host:port`, `:port` for every address, or the path of a unix socket; one or a list. Default: `:5000`; without a file `127.0.0.1:5000`.',
    ),
  net: z
    .enum(['tcp', 'unix'])
    .prefault('tcp')
    .describe('Whether `addr` is an address or a path; `unix` takes paths only.'),
  prefix: parsedBy(z.string(), parsePathPrefix).prefault('').describe('A path before `/v2/`, such as `/registry/`.'),
  host: parsedBy(z.string(), parseRegistryUrl)
    .optional()
    .describe('The URL that clients use, for links, where requests do not show it.'),
  secret: text().optional().describe("registry's: signs the state of uploads.").meta({ secret: true }),
  relativeurls: flag().prefault(false).describe('Links in answers are paths instead of URLs.'),
  draintimeout: registryDuration()
    .prefault('30s')
    .describe('How long open requests may take to end after SIGTERM; 0 = not at all.'),
  headers: parsedBy(z.record(z.string(), list()), parseHeaders)
    .prefault({})
    .describe('Headers added to every answer: a name and a list of values.'),
  trustedproxies: listOf(parseNetwork)
    .prefault([])
    .describe('Addresses and ranges of reverse proxies whose X-Forwarded-* counts.'),
  tls: tlsSchema.optional().describe('HTTPS. Without it plain HTTP is served.'),
  debug: debugSchema.optional().describe('A listener of its own for metrics and health.'),
  http2: z
    .strictObject({ disabled: flag().optional().describe('Speak HTTP/1.1 only.') })
    .optional()
    .describe("registry's: HTTP/2."),
  h2c: z
    .strictObject({ enabled: flag().optional().describe('Speak HTTP/2 without TLS.') })
    .optional()
    .describe("registry's: HTTP/2 without TLS."),
});
