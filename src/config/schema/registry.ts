import { z } from 'zod';
import { parseListenAddress } from '../value/address.ts';
import { parsePattern } from '../value/pattern.ts';
import { parseRegistryUrl, parseWebUrl } from '../value/url.ts';
import { parsedBy, quoted, ValueError } from '../value/value-error.ts';
import { count, flag, free, list, listOf, registryDuration, text } from './values.ts';

/** registry's keys that are neither `log`, `http` nor `storage`. */
const many = Number.MAX_SAFE_INTEGER;
const check = {
  interval: registryDuration().optional().describe('How often. Default: 10s.'),
  threshold: count(0, many).optional().describe('How many failures in a row count. Default: the first.'),
};

export const authSchema = z.strictObject({
  none: free().optional().describe('Everybody may do everything that the configuration allows.'),
  silly: free().optional().describe("registry's: for its own tests."),
  htpasswd: z
    .strictObject({
      realm: text().optional().describe('The realm of the challenge.'),
      path: text().optional().describe('The file; bcrypt only.'),
    })
    .optional()
    .describe('Users in a file.'),
  token: z
    .strictObject({
      realm: text().optional().describe('The URL of the token service.'),
      service: text().optional().describe('Our name there.'),
      issuer: text().optional().describe('Who must have issued a token.'),
      rootcertbundle: text().optional().describe('A PEM file: who may sign.'),
      jwks: text().optional().describe('A file with keys.'),
      autoredirect: flag().optional().describe('The realm is where the request went.'),
      autoredirectpath: text().optional().describe('Its path.'),
      signingalgorithms: list().optional().describe('Which algorithms are accepted.'),
    })
    .optional()
    .describe('Tokens from a service.'),
});

export const proxySchema = z.strictObject({
  remoteurl: parsedBy(z.string(), parseRegistryUrl)
    .optional()
    .describe('The one upstream that this instance is a cache of.'),
  username: text().optional().describe('Our user there.'),
  password: text().optional().describe('Its password.').meta({ secret: true }),
  ttl: registryDuration()
    .optional()
    .describe('What nobody has read for this long is removed; 0 is never. Default: 168h where `remoteurl` is set.'),
  cachewritetimeout: registryDuration().optional().describe("registry's: how long a download may take to be stored."),
  exec: z
    .strictObject({
      command: text()
        .optional()
        .describe('A credential helper: a program, without arguments, that is run as Docker runs its helpers.'),
      lifetime: registryDuration()
        .optional()
        .describe('How long its answer counts; 0 is for one request. Default: until the upstream refuses it.'),
    })
    .optional()
    .describe('Our user and its password there, from a program.'),
});

const actions = ['pull', 'push', 'mount', 'delete'];

function parseAction(given: string): string {
  const action = given.trim().toLowerCase();
  if (actions.includes(action)) return action;
  throw new ValueError(`${quoted(given)} is not an action; write one of ${actions.join(', ')}`);
}

export const notificationsSchema = z.strictObject({
  events: z
    .strictObject({ includereferences: flag().optional().describe('Tell what a manifest refers to. Default: false.') })
    .optional()
    .describe('What events say.'),
  endpoints: z
    .array(
      z.strictObject({
        name: text().optional().describe('Its own name, which its queue has, too. Default: its URL.'),
        disabled: flag().optional().describe('Leaves it out.'),
        url: parsedBy(z.string(), parseWebUrl).optional().describe('Where events are sent, with POST.'),
        headers: z
          .record(z.string(), list())
          .optional()
          .describe('Headers to send; a Content-Type replaces ours.')
          .meta({ secret: true }),
        timeout: registryDuration().optional().describe('How long an answer may take. Default: 1s.'),
        threshold: count(0, many)
          .optional()
          .describe('After so many failures in a row there are pauses between attempts. Default: 10.'),
        backoff: registryDuration().optional().describe('How long such a pause is. Default: 1s.'),
        ignoredmediatypes: list().optional().describe('Media types of content that is not told of.'),
        ignore: z
          .strictObject({
            mediatypes: list().optional().describe('The same.'),
            actions: listOf(parseAction).optional().describe('Of pull, push, mount and delete: what is not told of.'),
          })
          .optional()
          .describe('What to leave out.'),
      }),
    )
    .optional()
    .describe('Who is told.'),
});

export const healthSchema = z.strictObject({
  storagedriver: z
    .strictObject({ enabled: flag().optional().describe('Whether it happens. Default: false.'), ...check })
    .optional()
    .describe('Unhealthy while the storage does not answer.'),
  file: z
    .array(z.strictObject({ file: text().optional().describe('The file.'), ...check }))
    .optional()
    .describe('Unhealthy while a file exists.'),
  http: z
    .array(
      z.strictObject({
        uri: parsedBy(z.string(), parseWebUrl).optional().describe('What to ask, with HEAD.'),
        headers: z.record(z.string(), list()).optional().describe('Headers to send.').meta({ secret: true }),
        statuscode: count(100, 599).optional().describe('The status that is well. Default: 200.'),
        timeout: registryDuration().optional().describe('How long to wait. Default: 5s.'),
        ...check,
      }),
    )
    .optional()
    .describe('Unhealthy while a server does not answer.'),
  tcp: z
    .array(
      z.strictObject({
        addr: parsedBy(z.string(), (addr) => ({ text: addr, ...parseListenAddress(addr) }))
          .optional()
          .describe('Where to connect.'),
        timeout: registryDuration().optional().describe('How long to wait. Default: 5s.'),
        ...check,
      }),
    )
    .optional()
    .describe('Unhealthy while a port is closed.'),
});

export const validationSchema = z.strictObject({
  enabled: flag().optional().describe('The old opposite of `disabled`.'),
  disabled: flag().optional().describe('Look neither at the URLs in manifests, nor for the platforms of an index.'),
  manifests: z
    .strictObject({
      urls: z
        .strictObject({
          allow: listOf(parsePattern)
            .optional()
            .describe(
              'Regular expressions (RE2, as in Go) of those that may. Default: any; in registry mode none, unless `deny` is given.',
            ),
          deny: listOf(parsePattern).optional().describe('Regular expressions (RE2, as in Go) of those that may not.'),
        })
        .optional()
        .describe('Which URLs manifests may hold, for layers that are fetched from elsewhere.'),
      indexes: z
        .strictObject({
          platforms: z
            .enum(['all', 'none', 'list'])
            .prefault('all')
            .describe('all; none; or list, for those of `platformlist` alone.'),
          platformlist: z
            .array(
              z.strictObject({
                os: text().describe('The operating system.'),
                architecture: text().describe('The architecture.'),
              }),
            )
            .optional()
            .describe('The list.'),
        })
        .optional()
        .describe('Which platforms of an index must be there before it.'),
    })
    .optional()
    .describe('Which manifests may be pushed.'),
});

export const catalogSchema = z.strictObject({
  maxentries: z
    .int()
    .optional()
    .describe(
      'Entries of one page at most. Given, or in registry mode: more are an error, and 100 come when nobody says how many. Default: 1000.',
    ),
});
export const tagsSchema = z.strictObject({
  maxtags: count(0, many)
    .optional()
    .describe(
      'Entries of one page at most; whoever asks for more gets these and a link. In registry mode all come when nobody says how many. Default: 1000.',
    ),
});
export const policySchema = z.strictObject({
  repository: z
    .strictObject({ classes: list().optional().describe('Which kinds of content.') })
    .optional()
    .describe('What repositories may hold.'),
});
