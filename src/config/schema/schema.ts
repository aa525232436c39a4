import { z } from 'zod';
import { parsedBy, quoted, ValueError } from '../value/value-error.ts';
import { httpSchema } from './http.ts';
import { level, logSchema } from './log.ts';
import {
  accessSchema,
  adminSchema,
  cacheSchema,
  collectSchema,
  defaultUpstreamSchema,
  hostedSchema,
  indexSchema,
  interceptSchema,
  mirrorSchema,
} from './ours.ts';
import {
  authSchema,
  catalogSchema,
  healthSchema,
  notificationsSchema,
  policySchema,
  proxySchema,
  tagsSchema,
  validationSchema,
} from './registry.ts';
import { storageSchema } from './storage.ts';
import { upstreamsSchema } from './upstreams.ts';
import { free } from './values.ts';

const version = parsedBy(z.string(), (value) => {
  if (value !== '0.1') throw new ValueError(`${quoted(value)} is not a version of this file; write 0.1`);
  return value;
});

/**
 * Every key of the file: registry's (distribution's `configuration.go`, v3 and v2.8) and ours. What each of them does
 * in this version is said by `support.ts`.
 */
export const fileSchema = z.strictObject({
  version: version.prefault('0.1').describe('The version of this file: 0.1.'),
  http: httpSchema.prefault({}).describe('The listener.'),
  storage: storageSchema.prefault({}).describe('Where content rests. Exactly one driver.'),
  index: indexSchema,
  hosted: hostedSchema.prefault({}).describe('What clients may push; everything else belongs to an upstream.'),
  upstreams: upstreamsSchema.prefault({}),
  defaultupstream: defaultUpstreamSchema,
  cache: cacheSchema.prefault({}).describe('What is kept.'),
  intercept: interceptSchema.prefault({}).describe('The transparent proxy.'),
  access: accessSchema.optional().describe('Who may do what; the first match counts.'),
  admin: adminSchema.prefault({}).describe('Administration.'),
  collect: collectSchema.prefault({}).describe('Removes what nothing refers to.'),
  mirror: mirrorSchema.optional().describe('Scheduled copies.'),
  log: logSchema.prefault({}).describe('The log.'),
  loglevel: level().optional().describe('The old name of `log.level`.'),
  proxy: proxySchema.prefault({}).describe("registry's pull-through cache: this instance is a cache of one upstream."),
  auth: authSchema.optional().describe("registry's: who may do what. Exactly one of its keys."),
  notifications: notificationsSchema.optional().describe("registry's: events for others."),
  health: healthSchema.optional().describe("registry's: health checks."),
  validation: validationSchema.optional().describe("registry's: which manifests may be pushed."),
  catalog: catalogSchema.optional().describe("registry's: pages of the catalog."),
  tags: tagsSchema.optional().describe("registry's: pages of tags."),
  policy: policySchema.optional().describe("registry's: what may be pushed."),
  middleware: z.record(z.string(), z.array(free())).optional().describe("registry's: plug-ins."),
  redis: free().optional().describe("registry's: a cache of blob sizes."),
  reporting: free().optional().describe("registry's: error reports to others."),
  compatibility: free().optional().describe("registry's: schema 1 manifests."),
});

/** What the file says, with the values read but nothing put together. */
export type FileConfig = z.output<typeof fileSchema>;

/** Keys of ours that say what names mean: one of them, and names mean what they mean to us (`Mode`). */
export const namingKeys: readonly string[] = [
  'hosted.names',
  'upstreams',
  'defaultupstream',
  'cache',
  'intercept',
  'mirror',
];

/** All keys that registry does not have. */
export const ourKeys: readonly string[] = [
  ...namingKeys,
  'hosted',
  'index',
  'access',
  'admin',
  'collect',
  'http.trustedproxies',
  'http.tls.auto',
];
