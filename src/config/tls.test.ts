import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TlsConfig } from './config.ts';
import { loadText, problemsOf } from './testing.ts';

/** A file that is there; its content is none of this room's business. */
const pem = import.meta.filename;

async function tlsOf(tls: object, more: object = {}, env: Readonly<Record<string, string>> = {}) {
  const { config, notices } = await loadText(JSON.stringify({ http: { tls }, ...more }), env);
  return { ...config.http.tls, notices } as TlsConfig & { readonly notices: readonly string[] };
}

const registrys = { version: 0.1, storage: { filesystem: {} } };
const files = () => ({ certificate: pem, key: pem });

describe('plain HTTP beside TLS', () => {
  test('is served by a cache, and not where registry:2 would not', async () => {
    assert.equal((await tlsOf({ auto: true })).plain, true);
    assert.equal((await tlsOf(files(), { cache: { offline: true } })).plain, true);
    assert.equal((await tlsOf(files(), registrys)).plain, false);
    assert.equal((await tlsOf({ ...files(), plain: true }, registrys)).plain, true);
    assert.equal((await tlsOf({ auto: true, plain: false })).plain, false);
  });

  test('is no way round certificates that clients must show', async () => {
    assert.equal((await tlsOf({ auto: true, clientcas: [pem] })).plain, false);
    assert.equal(
      (await tlsOf({ auto: true, clientcas: [pem], clientauth: 'verify-client-cert-if-given' })).plain,
      true,
    );
    const [problem] = await problemsOf(
      JSON.stringify({ http: { tls: { auto: true, plain: true, clientcas: [pem] } } }),
    );
    assert.match(problem ?? '', /http\.tls\.plain: plain HTTP knows no certificates of clients, .*; remove one/);
  });

  test('does not make a configuration ours', async () => {
    const { config } = await loadText(JSON.stringify({ ...registrys, http: { tls: { ...files(), plain: true } } }));
    assert.equal(config.mode, 'registry');
  });
});

describe('certificates of clients', () => {
  test('are asked for in each of the ways that registry knows', async () => {
    const ways = {
      'request-client-cert': { required: false, verified: false },
      'require-any-client-cert': { required: true, verified: false },
      'verify-client-cert-if-given': { required: false, verified: true },
      'require-and-verify-client-cert': { required: true, verified: true },
    };
    for (const [clientauth, expected] of Object.entries(ways)) {
      const { clients } = await tlsOf({ ...files(), clientcas: [pem], clientauth });
      assert.deepEqual(clients, { authorityPaths: [pem], ...expected });
    }
    assert.deepEqual((await tlsOf({ ...files(), clientcas: [pem] })).clients, {
      authorityPaths: [pem],
      required: true,
      verified: true,
    });
    assert.equal((await tlsOf(files())).clients, undefined);
  });

  test('can be asked for by variables', async () => {
    const env = { REGISTRY_HTTP_TLS_CLIENTCAS_0: pem };
    assert.deepEqual((await tlsOf(files(), registrys, env)).clients?.authorityPaths, [pem]);
  });

  test('cannot be verified against nobody', async () => {
    const text = JSON.stringify({ http: { tls: { auto: true, clientauth: 'verify-client-cert-if-given' } } });
    assert.match(
      (await problemsOf(text))[0] ?? '',
      /http\.tls\.clientauth: nobody is named .*; write http\.tls\.clientcas/,
    );
  });
});

describe('versions and ciphers', () => {
  test('that registry:2 knew and nobody speaks any more are explained', async () => {
    for (const minimumtls of ['tls1.0', 'tls1.1']) {
      const { minimumVersion, notices } = await tlsOf({ ...files(), minimumtls });
      assert.equal(minimumVersion, 'TLSv1.2');
      assert.match(notices.join('\n'), /http\.tls\.minimumtls: tls1\.[01] is not spoken any more/);
    }
    assert.equal((await tlsOf({ ...files(), minimumtls: 'tls1.3' })).minimumVersion, 'TLSv1.3');
  });

  test('are taken by their Go names, with those of TLS 1.3 as ever', async () => {
    const ciphersuites = [
      'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
      'TLS_AES_128_GCM_SHA256',
      'TLS_RSA_WITH_RC4_128_SHA',
    ];
    const { ciphers, notices } = await tlsOf({ ...files(), ciphersuites });
    const of13 = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256';
    assert.equal(ciphers, `${of13}:ECDHE-RSA-AES128-GCM-SHA256`);
    assert.match(notices.join('\n'), /ciphersuites: TLS_RSA_WITH_RC4_128_SHA can be broken and not used any more/);
    const newest = await tlsOf({ ...files(), ciphersuites, minimumtls: 'tls1.3' });
    assert.equal(newest.ciphers, undefined);
    assert.match(newest.notices.join('\n'), /says nothing where minimumtls is tls1\.3/);
    const wrong = JSON.stringify({ http: { tls: { auto: true, ciphersuites: ['AES128-SHA'] } } });
    assert.match(
      (await problemsOf(wrong))[0] ?? '',
      /"AES128-SHA" is not the name of a cipher suite; write one as Go does/,
    );
  });
});

test('the authority for interception may be ours, constrained, or the operator’s', async () => {
  const of = async (ca: object) =>
    (await loadText(JSON.stringify({ intercept: { ca } }))).config.certificates.interception;
  assert.deepEqual(await of({ constrain: ['quay.io', 'Example.com'] }), {
    files: undefined,
    constrain: ['quay.io', 'example.com'],
  });
  assert.deepEqual(await of({ certificate: pem, key: pem }), {
    files: { certificatePath: pem, keyPath: pem },
    constrain: [],
  });
  const text = JSON.stringify({ intercept: { ca: { certificate: pem } } });
  assert.match(
    (await problemsOf(text))[0] ?? '',
    /intercept\.ca\.certificate: a certificate without its key; write intercept\.ca\.key/,
  );
});
