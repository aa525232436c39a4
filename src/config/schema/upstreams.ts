import { z } from 'zod';
import { parseNameServer, parseNetwork } from '../value/address.ts';
import { parseGlob } from '../value/glob.ts';
import { parseHost } from '../value/upstream-name.ts';
import { parseProxyUrl, parseRegistryUrl } from '../value/url.ts';
import { parsedBy } from '../value/value-error.ts';
import { bandwidth, count, durationOrForever, flag, globs, listOf, text, timeout } from './values.ts';

const mirror = z.union([
  parsedBy(z.string(), (url) => ({ url: parseRegistryUrl(url), resolve: false })),
  z.strictObject({
    url: parsedBy(z.string(), parseRegistryUrl).describe('Where it is.'),
    resolve: flag().prefault(false).describe('Ask it where a tag points, too, and not for bytes only.'),
  }),
]);

const credentials = z.strictObject({
  username: text().optional().describe('The user; with `password` or `passwordfile`.'),
  password: text().optional().describe('The password. A file keeps it out of this one.').meta({ secret: true }),
  passwordfile: text().optional().describe('A file with the password, read again when it changes.'),
  dockerconfig: text().optional().describe('A `config.json` of Docker, with `auths`, `credHelpers` or `credsStore`.'),
  helper: text().optional().describe('A credential helper: `ecr-login` runs `docker-credential-ecr-login`.'),
  provider: z
    .enum(['ecr', 'gcr', 'acr'])
    .optional()
    .describe("Tokens from a cloud's own service, with the machine's identity."),
});

const freshness = z.union([
  durationOrForever(),
  z.array(
    z.strictObject({
      tags: parsedBy(z.string(), parseGlob).describe('A glob of tags.'),
      for: durationOrForever().describe('How long they are fresh.'),
    }),
  ),
]);

export const upstreamSchema = z.strictObject({
  url: parsedBy(z.string(), parseRegistryUrl)
    .optional()
    .describe('Where it is. Default: `https://` and its name. The URL of a wildcard has the stars of its name.'),
  mirrors: z
    .array(mirror)
    .prefault([])
    .describe('Tried first, for bytes, in this order; asked where a tag points only with `resolve: true`.'),
  credentials: credentials
    .optional()
    .describe(
      'Who we are there. One of: `username` with `password` or `passwordfile`; `dockerconfig`; `helper`; `provider`.',
    ),
  exposure: z
    .enum(['anyone', 'authenticated', 'passthrough'])
    .prefault('authenticated')
    .describe("Who may see what only our credentials can see; public content is everybody's anyway."),
  realms: listOf(parseHost)
    .prefault([])
    .describe(
      "Hosts of token services besides the upstream's own: exact names, the only ones that get our credentials.",
    ),
  freshness: freshness
    .prefault('60s')
    .describe(
      'How long a tag counts before the upstream is asked again; 0 = every time, forever = never. Or a list of `{ tags: GLOB, for: DURATION }`, the first match counts, others 60s.',
    ),
  keep: z
    .strictObject({
      notfound: flag().prefault(true).describe('Serve what we hold when the upstream answers us 404.'),
      denied: flag().prefault(true).describe('Serve what we hold when the upstream answers us 401 or 403.'),
    })
    .prefault({})
    .describe('What a refusal of the upstream does to what we hold.'),
  allow: globs().prefault(['**']).describe('Globs of the repositories that may be pulled.'),
  deny: globs().prefault([]).describe('Globs of those that may not; counts more than `allow`.'),
  concurrency: count(1, 1024)
    .prefault(16)
    .describe('Transfers at once. Parts of big blobs leave a quarter to blobs that nobody has a byte of yet.'),
  ranges: count(1, 64).prefault(4).describe('How many ranges one big blob is fetched in; 1 = off.'),
  bandwidth: bandwidth().prefault(0).describe('Bytes a second, such as 50MB; 0 = no limit.'),
  ca: text().optional().describe('A PEM file with further certificate authorities.'),
  insecure: flag().prefault(false).describe('Accept an unverified certificate, and credentials over plain http.'),
  proxy: parsedBy(z.string(), parseProxyUrl)
    .optional()
    .describe('The outbound proxy: http, https or socks5. Without it HTTP(S)_PROXY and NO_PROXY count.'),
  timeouts: z
    .strictObject({
      connect: timeout().prefault('5s').describe('Until connected.'),
      headers: timeout().prefault('10s').describe('Until an answer begins.'),
      stall: timeout().prefault('30s').describe('Between two pieces of it.'),
    })
    .prefault({})
    .describe('How long to wait.'),
  dial: listOf(parseNetwork)
    .prefault([])
    .describe('Addresses and ranges that its name may resolve to though they are loopback or link-local.'),
  resolver: listOf(parseNameServer)
    .optional()
    .describe("DNS servers for its name. Default: `intercept.resolver`, else the machine's own."),
  family: z.enum(['any', '4', '6']).prefault('any').describe('Which addresses: any, 4 or 6.'),
});

export const upstreamsSchema = z
  .record(z.string(), upstreamSchema)
  .describe(
    'Adds to and overrides the built-in table of public registries. The name is the host as it stands in image names; `*` is one part of it: `*.gcr.io`.',
  );
