import { z } from 'zod';
import { count, bytes, flag, free, registryDuration, text } from './values.ts';

const s3Schema = z.strictObject({
  accesskey: text().optional().describe('The access key; without one, the environment and the instance are asked.'),
  secretkey: text().optional().describe('Its secret.').meta({ secret: true }),
  region: text().optional().describe('The region.'),
  regionendpoint: text().optional().describe('The URL of a store that is not Amazon.'),
  redirectendpoint: text().optional().describe('The URL that clients are sent to.'),
  forcepathstyle: flag().optional().describe('The bucket is in the path instead of the host.'),
  bucket: text().optional().describe('The bucket.'),
  encrypt: flag().optional().describe('Encrypted at rest.'),
  keyid: text().optional().describe('The KMS key.'),
  secure: flag().optional().describe('HTTPS.'),
  skipverify: flag().optional().describe('Accept any certificate.'),
  v4auth: flag().optional().describe('Signature version 4.'),
  chunksize: bytes().optional().describe('Bytes of one part of an upload.'),
  multipartcopychunksize: bytes().optional().describe('Bytes of one part of a copy.'),
  multipartcopymaxconcurrency: count(1, 10_000).optional().describe('Parts copied at once.'),
  multipartcopythresholdsize: bytes().optional().describe('Bytes from which a copy has parts.'),
  rootdirectory: text().optional().describe('A prefix within the bucket.'),
  storageclass: text().optional().describe('The storage class.'),
  useragent: text().optional().describe('The User-Agent.'),
  usedualstack: flag().optional().describe('IPv6, too.'),
  accelerate: flag().optional().describe('Transfer acceleration.'),
  usefipsendpoint: flag().optional().describe('The FIPS endpoint.'),
  objectacl: text().optional().describe('The ACL of objects.'),
  loglevel: text().optional().describe("The client's log."),
});

const maintenanceSchema = z.strictObject({
  uploadpurging: z
    .strictObject({
      enabled: flag().optional().describe('Whether it happens. Default: true.'),
      age: registryDuration()
        .optional()
        .describe('How long nothing must have come for an upload. Default: 24h; in registry mode 168h.'),
      interval: registryDuration().optional().describe('How often. Default: 1h; in registry mode 24h.'),
      dryrun: flag().optional().describe('Only say in the log what would be removed. Default: false.'),
    })
    .optional()
    .describe('The removal of unfinished uploads.'),
  readonly: z
    .strictObject({ enabled: flag().optional().describe('Refuse pushes and deletes.') })
    .optional()
    .describe('Refuse changes.'),
});

/** Exactly one driver; `storage: inmemory` is short for `storage: { inmemory: {} }`. */
export const storageSchema = z.strictObject({
  filesystem: z
    .strictObject({
      rootdirectory: text()
        .prefault('/var/lib/registry')
        .describe(
          "The directory; blobs lie in it in registry's layout. Without any driver it is `/var/lib/entrepot`, or `~/.local/share/entrepot` for a user who is not root; in registry mode `/var/lib/registry`.",
        ),
      maxthreads: count(1, 1_000_000).optional().describe("registry's: operations at once."),
    })
    .optional()
    .describe('Keep content in a directory.'),
  inmemory: z.strictObject({}).optional().describe('Keep content in memory, for tests: gone when the process ends.'),
  s3: s3Schema.optional().describe('Keep content in S3.'),
  s3aws: free().optional().describe('Another name of `s3`.'),
  gcs: free().optional().describe("registry's: Google Cloud Storage."),
  azure: free().optional().describe("registry's: Azure."),
  swift: free().optional().describe("registry's: OpenStack Swift."),
  oss: free().optional().describe("registry's: Aliyun OSS."),
  delete: z
    .strictObject({
      enabled: flag().optional().describe('Whether clients may delete. Default: true; false in registry mode.'),
    })
    .optional()
    .describe('Deletion by clients.'),
  redirect: z
    .strictObject({ disable: flag().optional().describe('Never send clients to the storage itself.') })
    .optional()
    .describe('Sending clients to the storage itself.'),
  cache: z
    .strictObject({
      blobdescriptor: text().optional().describe('redis or inmemory.'),
      blobdescriptorsize: count(0, Number.MAX_SAFE_INTEGER).optional().describe('How many.'),
      layerinfo: text().optional().describe('The old name of `blobdescriptor`.'),
    })
    .optional()
    .describe("registry's: remembers sizes of blobs."),
  maintenance: maintenanceSchema.optional().describe("registry's: chores."),
  tag: z
    .strictObject({ concurrencylimit: count(0, 1_000_000).optional().describe('How many at once.') })
    .optional()
    .describe("registry's: look-ups of tags at once."),
});

/** The children of `storage` that are no driver. */
export const storageDriversNot: ReadonlySet<string> = new Set(['delete', 'redirect', 'cache', 'maintenance', 'tag']);
