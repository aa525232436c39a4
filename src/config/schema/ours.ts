import { z } from 'zod';
import { parseListenAddress, parseNameServer, parseNetwork } from '../value/address.ts';
import { parseFiniteDuration } from '../value/duration.ts';
import { parseHost, parseUpstreamName } from '../value/upstream-name.ts';
import { parsedBy, quoted, ValueError } from '../value/value-error.ts';
import { parseWho } from '../value/who.ts';
import { count, duration, durationOrForever, flag, globs, list, listOf, sizeLimit, text } from './values.ts';

/** Keys that registry does not have; `upstreams` has a file of its own. */
export const indexSchema = parsedBy(z.string(), (value) => {
  if (value === 'sqlite') return { kind: 'sqlite' as const };
  if (/^postgres(?:ql)?:\/\/./u.test(value)) return { kind: 'postgres' as const };
  throw new ValueError(`${quoted(value)} is not an index; write sqlite`);
})
  .prefault('sqlite')
  .describe(
    'What we know about content: sqlite, in `<rootdirectory>/entrepot/index.db`; or `postgres://user:pass@host/db` when there are replicas.',
  );

export const hostedSchema = z.strictObject({
  names: globs()
    .optional()
    .describe(
      'Globs of the repositories that are ours: a request for one never reaches an upstream. Default: `*` and `local/**`; in registry mode `**`.',
    ),
  immutable: globs().prefault([]).describe('Globs of `repository:tag` that never move.'),
  sparse: flag()
    .prefault(false)
    .describe(
      'Take manifests whose blobs or platforms are not in the repository, such as partial mirrors of an index.',
    ),
});

export const defaultUpstreamSchema = parsedBy(z.string(), parseHost)
  .prefault('docker.io')
  .describe('The upstream of names without a host, such as `library/redis`.');

export const cacheSchema = z.strictObject({
  size: sizeLimit()
    .optional()
    .describe(
      'How much may be kept: 100GB, or a percentage of the disk. Default: 80 % of what is free at first start.',
    ),
  diskfree: sizeLimit().prefault('5%').describe('How much of the disk stays free.'),
  pins: globs()
    .prefault([])
    .describe('Globs of `upstream/repository:tag` that are never evicted; `redis:7` is `docker.io/library/redis:7`.'),
  offline: flag().prefault(false).describe('Never contact an upstream; serve what is held.'),
});

export const adminSchema = z.strictObject({
  socket: text()
    .optional()
    .describe('The socket that the command line talks to. Default: `<rootdirectory>/entrepot/admin.sock`.'),
  tokenfile: text()
    .optional()
    .describe(
      'A file with a token. With it, the admin API is at `/admin/v1/` of the public port, too, for `Authorization: Bearer TOKEN`.',
    ),
});

export const interceptSchema = z.strictObject({
  hosts: list()
    .optional()
    .describe(
      'Which hosts are intercepted: `upstreams`, a list (empty: none), or `*` for whatever behaves like a registry. Default: `upstreams`; none in registry mode.',
    ),
  others: z
    .enum(['refuse', 'tunnel'])
    .prefault('refuse')
    .describe('What happens to other hosts: they are refused, or connected to untouched, where the address allows it.'),
  ports: z.array(count(1, 65_535)).prefault([443]).describe('The ports to which other hosts may be connected.'),
  dial: listOf(parseNetwork)
    .prefault([])
    .describe('Addresses and ranges that other hosts may be at though they are private; never needed for upstreams.'),
  addr: listOf(parseListenAddress)
    .prefault([])
    .describe(
      'Where else to listen for clients that names lead here (DNS or /etc/hosts), such as `[":443", ":80"]`: TLS by its SNI, plain HTTP by its Host.',
    ),
  auth: z
    .enum(['none', 'rules', 'required'])
    .prefault('rules')
    .describe(
      'Who has to log in to use this server as a proxy (`Proxy-Authorization`, users of `auth`): nobody, everybody, or everybody where `access` has nothing for those who have not.',
    ),
  clients: listOf(parseNetwork)
    .prefault([])
    .describe('Addresses and ranges of the clients that may use this server as a proxy. Default: everybody.'),
  proof: duration()
    .prefault('5m')
    .describe("For how long a client's right to read a private repository counts before its upstream is asked again."),
  outage: duration()
    .prefault('12h')
    .describe('For how long a right that was proved counts while the upstream is away; never beyond its token.'),
  ca: z
    .strictObject({
      certificate: text().optional().describe('A PEM file: the certificate.'),
      key: text().optional().describe('A PEM file: its key.'),
      constrain: listOf(parseUpstreamName).optional().describe('Domains that it may sign for.'),
    })
    .optional()
    .describe('The certificate authority; made at first start.'),
  resolver: listOf(parseNameServer)
    .prefault([])
    .describe("DNS servers for upstreams, where the machine's own names point at us."),
  push: z
    .enum(['passthrough', 'refuse'])
    .prefault('passthrough')
    .describe('What happens to pushes to other registries: they stream through untouched, or are refused.'),
});

const action = z.enum(['pull', 'push', 'delete']);

export const accessSchema = z.array(
  z.strictObject({
    who: listOf(parseWho).describe(
      'Users, `group:NAME`, `authenticated` (or `*`: any user), or `anonymous` (anybody, with a login or without).',
    ),
    may: z
      .union([action, z.array(action)])
      .describe('pull, push, delete: the actions that the rule is about, and allows. `[]` is about all, and forbids.'),
    on: globs().describe('Globs of `upstream/repository`, such as `docker.io/**`, and of the bare names hosted here.'),
  }),
);

export const collectSchema = z.strictObject({
  grace: duration()
    .prefault('24h')
    .describe(
      'What nothing refers to is kept for so long after it was last pushed, mounted, pulled or asked for. Longer than any push takes.',
    ),
  untagged: parsedBy(z.union([z.string(), z.number()]), (value) =>
    value === 'keep' ? undefined : parseFiniteDuration(value),
  )
    .prefault('keep')
    .describe(
      'What happens to manifests that no tag, no index and no subject leads to: `keep`, or they go when nobody has pushed, pulled or asked for them, nor taken their tag away, for so long (`30d`).',
    ),
  every: durationOrForever().prefault('1h').describe('How often, about; `forever` leaves it to `entrepot gc`.'),
});

export const mirrorSchema = z.array(
  z.strictObject({
    from: text().describe('The repository to copy.'),
    to: text().describe('Where: a repository here, another registry, or `cache`.'),
    tags: z
      .strictObject({
        semver: text().optional().describe('A range of versions.'),
        latest: count(1, 1_000_000).optional().describe('How many, from the newest.'),
        allow: globs().optional().describe('Globs of tags.'),
        deny: globs().optional().describe('Globs of tags.'),
      })
      .optional()
      .describe('Which tags.'),
    platforms: list().optional().describe('Which platforms, such as linux/amd64.'),
    referrers: flag().optional().describe('Signatures and SBOMs, too.'),
    schedule: text().optional().describe('When, as cron has it.'),
    timezone: text().optional().describe('Whose time.'),
    minage: duration().optional().describe('How long ago we must have seen a digest first.'),
    backup: z
      .strictObject({
        tag: text().optional().describe('The name: {tag}, {date}.'),
        keep: duration().optional().describe('How long it stays.'),
      })
      .optional()
      .describe('The old digest, before a tag moves.'),
  }),
);
