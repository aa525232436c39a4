/** Every key that registry:2 and registry:3 have, from their `configuration.go` and drivers: none is unknown here. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { overlayEnvironment } from './env/overlay.ts';
import { fileKeys } from './load.ts';
import { supportOf } from './support.ts';
import type { Support } from './support.ts';
import { loadText, problemsOf } from './testing.ts';
import type { KeyNode } from './tree/keys.ts';
import { emptyMap } from './tree/tree.ts';

/**
 * What becomes of each: done here, not needed and said so at the start, or refused with what to do instead. A line is a key and
 * what may stand below it. `[]` is a list, `*` a name of the operator's own.
 */
const registryKeys: Readonly<Record<Support['kind'], string>> = {
  honoured: `
version
loglevel
log: level formatter fields
log.accesslog: disabled
storage.filesystem: rootdirectory
storage: inmemory
storage.delete: enabled
storage.maintenance.uploadpurging: enabled age interval dryrun
storage.maintenance.readonly: enabled
auth.token: realm service issuer rootcertbundle jwks autoredirect autoredirectpath signingalgorithms
auth.htpasswd: realm path
catalog: maxentries
tags: maxtags
http: addr net prefix host relativeurls draintimeout headers
http.tls: certificate key clientcas clientauth minimumtls ciphersuites
http.tls.letsencrypt: cachefile email hosts directoryurl
http.debug: addr
http.debug.prometheus: enabled path
notifications.events: includereferences
notifications.endpoints[]: name disabled url headers timeout threshold backoff ignoredmediatypes
notifications.endpoints[].ignore: mediatypes actions
health.storagedriver: enabled interval threshold
health.file[]: file interval threshold
health.http[]: uri headers statuscode timeout interval threshold
health.tcp[]: addr timeout interval threshold
proxy: remoteurl username password ttl
proxy.exec: command lifetime
validation: disabled enabled
validation.manifests.urls: allow deny
validation.manifests.indexes: platforms platformlist
validation.manifests.indexes.platformlist[]: os architecture
`,
  explained: `
log: reportcaller
storage.filesystem: maxthreads
storage.redirect: disable
storage.cache: blobdescriptor blobdescriptorsize layerinfo
storage.tag: concurrencylimit
auth: none
http: secret
http.http2: disabled
http.h2c: enabled
redis: addr addrs clientname db protocol username password sentinelusername sentinelpassword mastername maxretries minretrybackoff
redis: maxretrybackoff dialtimeout readtimeout writetimeout contexttimeoutenabled poolfifo poolsize pooltimeout minidleconns maxidleconns
redis: maxactiveconns connmaxidletime connmaxlifetime maxredirects readonly routebylatency routerandomly disableidentity identitysuffix
redis: unstableresp3
redis.pool: maxidle maxactive idletimeout
redis.tls: certificate key rootcas
proxy: cachewritetimeout
policy.repository: classes
reporting.bugsnag: apikey releasestage endpoint
reporting.newrelic: licensekey name verbose
compatibility.schema1: signingkeyfile enabled
`,
  refused: `
log.hooks[]: type disabled levels options
log.hooks[].options.smtp: addr username password insecure
log.hooks[].options: from to
storage.s3: accesskey secretkey region regionendpoint redirectendpoint forcepathstyle bucket encrypt keyid secure skipverify v4auth
storage.s3: chunksize multipartcopychunksize multipartcopymaxconcurrency multipartcopythresholdsize rootdirectory storageclass useragent
storage.s3: usedualstack accelerate usefipsendpoint objectacl loglevel
storage.s3aws: accesskey region bucket
storage.gcs: bucket keyfile credentials rootdirectory chunksize maxconcurrency useragent
storage.azure: accountname accountkey container connectionstring realm serviceurl rootdirectory max_retries retry_delay skipverify
storage.azure.credentials: type clientid tenantid secret
storage.swift: username password authurl container
storage.oss: accesskeyid accesskeysecret region bucket
auth.silly: realm service
middleware.*[]: name disabled options
`,
};

type Step = string | number;

type KeyPath = readonly Step[];

function pathsOf(keys: string): readonly KeyPath[] {
  return keys
    .trim()
    .split('\n')
    .flatMap((line): readonly KeyPath[] => {
      const [before = '', names] = line.split(': ');
      const start = before.split('.').flatMap((part): KeyPath => {
        const name = part.replace('[]', '').replace('*', 'storage');
        return part.endsWith('[]') ? [name, 0] : [name];
      });
      return names === undefined ? [start] : names.split(' ').map((name) => [...start, name]);
    });
}

const kinds = ['honoured', 'explained', 'refused'] as const;
const paths = kinds.flatMap((kind) => pathsOf(registryKeys[kind]));

const textOf = (path: KeyPath): string => path.join('.');

/** Where anything may stand, or what the schema knows of it. */
function knownAt(path: KeyPath, keys: KeyNode = fileKeys): KeyNode | undefined {
  const [step, ...rest] = path;
  if (step === undefined || keys.scalars.has('any')) return keys;
  const next = typeof step === 'number' ? keys.items : (keys.fields?.get(step) ?? keys.values);
  return next && knownAt(rest, next);
}

const variableOf = (path: KeyPath): string => ['REGISTRY', ...path].join('_').toUpperCase();

/** A file with that key and nothing else. */
function fileWith(path: KeyPath): string {
  const around = (rest: unknown, step: Step): unknown => (typeof step === 'number' ? [rest] : { [step]: rest });
  return JSON.stringify(path.toReversed().reduce(around, valueFor(knownAt(path))));
}

/** One that asks for something: plug-ins that are disabled are let be. */
function valueFor(node: KeyNode | undefined): unknown {
  if (node?.scalars.has('any') || node?.scalars.has('boolean')) return false;
  if (node?.values !== undefined) return {};
  return node?.scalars.has('number') ? 1 : '1s';
}

describe("registry's keys", () => {
  test('are all known, and each is honoured, explained or refused', () => {
    assert.ok(paths.length > 180, `${paths.length} keys were looked at`);
    assert.deepEqual(paths.filter((path) => knownAt(path) === undefined).map(textOf), []);
    for (const kind of kinds) {
      const others = pathsOf(registryKeys[kind]).filter((path) => supportOf(path)?.support.kind !== kind);
      assert.deepEqual(others.map(textOf), [], `not ${kind}`);
    }
  });

  test('that are not honoured say at the start what to do, or why not to mind', async () => {
    for (const path of pathsOf(registryKeys.explained)) {
      const { notices } = await loadText(fileWith(path));
      assert.match(
        notices.join('\n'),
        /^[\w.]+ \(config\.yml:1:\d+\) is not needed and ignored: .{10,}$/mu,
        textOf(path),
      );
    }
    for (const path of pathsOf(registryKeys.refused)) {
      const problems = await problemsOf(fileWith(path));
      assert.match(problems.join('\n'), /^config\.yml:1:\d+: [\w.]+: .+; (?:use|remove) [^;]+$/mu, textOf(path));
    }
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
    const names = pathsOf(registryKeys.honoured).map(variableOf);
    const scope = { keys: fileKeys, names: () => [], isRegistrys: () => true };
    const env = Object.fromEntries(names.map((name) => [name, '']));
    const { notices, problems } = overlayEnvironment(emptyMap({ kind: 'default' }), env, scope);
    assert.deepEqual([notices, problems], [[], []]);
  });
});
