/** Every key that registry:2 and registry:3 have, from their `configuration.go` and drivers: none is unknown here. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { overlayEnvironment } from './env/overlay.ts';
import { fileKeys } from './load.ts';
import { supportOf } from './support.ts';
import type { KeyNode } from './tree/keys.ts';
import { emptyMap } from './tree/tree.ts';

/** A line is a key and what may stand below it. `[]` is a list, `*` a name of the operator's own. */
const registryKeys = `
version
loglevel
log: level formatter fields reportcaller hooks
log.accesslog: disabled
log.hooks[]: type disabled levels options
log.hooks[].options.smtp: addr username password insecure
log.hooks[].options: from to
storage.filesystem: rootdirectory maxthreads
storage: inmemory
storage.s3: accesskey secretkey region regionendpoint redirectendpoint forcepathstyle bucket encrypt keyid secure skipverify v4auth
storage.s3: chunksize multipartcopychunksize multipartcopymaxconcurrency multipartcopythresholdsize rootdirectory storageclass useragent
storage.s3: usedualstack accelerate usefipsendpoint objectacl loglevel
storage.s3aws: accesskey region bucket
storage.gcs: bucket keyfile credentials rootdirectory chunksize maxconcurrency useragent
storage.azure: accountname accountkey container connectionstring realm serviceurl rootdirectory max_retries retry_delay skipverify
storage.azure.credentials: type clientid tenantid secret
storage.swift: username password authurl container
storage.oss: accesskeyid accesskeysecret region bucket
storage.delete: enabled
storage.redirect: disable
storage.cache: blobdescriptor blobdescriptorsize layerinfo
storage.maintenance.uploadpurging: enabled age interval dryrun
storage.maintenance.readonly: enabled
storage.tag: concurrencylimit
auth: none
auth.silly: realm service
auth.token: realm service issuer rootcertbundle jwks autoredirect autoredirectpath signingalgorithms
auth.htpasswd: realm path
middleware.*[]: name disabled options
catalog: maxentries
tags: maxtags
http: addr net prefix host secret relativeurls draintimeout headers
http.tls: certificate key clientcas clientauth minimumtls ciphersuites
http.tls.letsencrypt: cachefile email hosts directoryurl
http.debug: addr
http.debug.prometheus: enabled path
http.http2: disabled
http.h2c: enabled
notifications.events: includereferences
notifications.endpoints[]: name disabled url headers timeout threshold backoff ignoredmediatypes
notifications.endpoints[].ignore: mediatypes actions
redis: addr addrs clientname db protocol username password sentinelusername sentinelpassword mastername maxretries minretrybackoff
redis: maxretrybackoff dialtimeout readtimeout writetimeout contexttimeoutenabled poolfifo poolsize pooltimeout minidleconns maxidleconns
redis: maxactiveconns connmaxidletime connmaxlifetime maxredirects readonly routebylatency routerandomly disableidentity identitysuffix
redis: unstableresp3
redis.pool: maxidle maxactive idletimeout
redis.tls: certificate key rootcas
health.storagedriver: enabled interval threshold
health.file[]: file interval threshold
health.http[]: uri headers statuscode timeout interval threshold
health.tcp[]: addr timeout interval threshold
proxy: remoteurl username password ttl cachewritetimeout
proxy.exec: command lifetime
validation: disabled enabled
validation.manifests.urls: allow deny
validation.manifests.indexes: platforms platformlist
validation.manifests.indexes.platformlist[]: os architecture
policy.repository: classes
reporting.bugsnag: apikey releasestage endpoint
reporting.newrelic: licensekey name verbose
compatibility.schema1: signingkeyfile enabled
`;

type Step = string | number;

const paths: readonly (readonly Step[])[] = registryKeys
  .trim()
  .split('\n')
  .flatMap((line) => {
    const [before = '', names] = line.split(': ');
    const start = before.split('.').flatMap((part): readonly Step[] => {
      const name = part.replace('[]', '').replace('*', 'storage');
      return part.endsWith('[]') ? [name, 0] : [name];
    });
    return names === undefined ? [start] : names.split(' ').map((name) => [...start, name]);
  });

const textOf = (path: readonly Step[]): string => path.join('.');

/** Where anything may stand, or something that the schema knows. */
function isKnown(path: readonly Step[], keys: KeyNode = fileKeys): boolean {
  const [step, ...rest] = path;
  if (step === undefined || keys.scalars.has('any')) return true;
  const next = typeof step === 'number' ? keys.items : (keys.fields?.get(step) ?? keys.values);
  return next !== undefined && isKnown(rest, next);
}

describe("registry's keys", () => {
  test('are all known, and each is honoured, explained or refused', () => {
    assert.ok(paths.length > 180, `${paths.length} keys were looked at`);
    assert.deepEqual(paths.filter((path) => !isKnown(path)).map(textOf), []);
    assert.deepEqual(paths.filter((path) => supportOf(path) === undefined).map(textOf), []);
  });

  test('and ours are all that there are', () => {
    const tops = new Set(paths.map(([top]) => top));
    const ours = [
      'index',
      'hosted',
      'upstreams',
      'defaultupstream',
      'cache',
      'intercept',
      'access',
      'admin',
      'collect',
    ];
    const others = [...(fileKeys.fields?.keys() ?? [])].filter((key) => !tops.has(key) && !ours.includes(key));
    assert.deepEqual(others, ['mirror']);
  });

  test('that are honoured can be set by REGISTRY_*', () => {
    const honoured = paths.filter((each) => supportOf(each)?.support.kind === 'honoured');
    const names = honoured.map((each) => ['REGISTRY', ...each].join('_').toUpperCase());
    const scope = { keys: fileKeys, names: () => [], isRegistrys: () => true };
    const env = Object.fromEntries(names.map((name) => [name, '']));
    const { notices, problems } = overlayEnvironment(emptyMap({ kind: 'default' }), env, scope);
    assert.deepEqual([notices, problems], [[], []]);
  });
});
