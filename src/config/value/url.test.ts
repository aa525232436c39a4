import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseProxyUrl, parseRegistryUrl, parseWebUrl } from './url.ts';

describe('the URL of a registry', () => {
  test('loses what says nothing', () => {
    assert.equal(parseRegistryUrl('https://Registry.Example.com:443/'), 'https://registry.example.com');
    assert.equal(parseRegistryUrl('http://10.0.0.5:5000/v2/'), 'http://10.0.0.5:5000');
    assert.equal(parseRegistryUrl('https://host/artifactory/docker/'), 'https://host/artifactory/docker');
  });

  test('keeps the stars of a wildcard', () => {
    assert.equal(parseRegistryUrl('https://*.pkg.dev'), 'https://*.pkg.dev');
  });

  test('with credentials is refused without showing them', () => {
    assert.throws(
      () => parseRegistryUrl('https://user:hunter2@host'),
      (error) => error instanceof Error && /credentials key/u.test(error.message) && !error.message.includes('hunter2'),
    );
  });

  for (const text of [
    'registry.example.com',
    'ftp://host',
    'https://',
    'https://host?x=1',
    'https://host#x',
    'unix:/run/x',
  ]) {
    test(`is not ${text}`, () => assert.throws(() => parseRegistryUrl(text), /; (?:write|leave)/u));
  }
});

describe('an outbound proxy', () => {
  test('has its credentials apart', () => {
    const proxy = parseProxyUrl('http://us%20er:p%40ss@corp:3128/');
    assert.equal(proxy.url, 'http://corp:3128');
    assert.equal(proxy.username, 'us er');
    assert.equal(proxy.password?.reveal(), 'p@ss');
  });

  test('may be a SOCKS one', () => {
    assert.deepEqual(parseProxyUrl('socks5://10.0.0.1:1080'), {
      url: 'socks5://10.0.0.1:1080',
      username: undefined,
      password: undefined,
    });
  });

  test('whose credentials cannot be read is refused without showing them, as is a service', () => {
    for (const parse of [parseProxyUrl, parseWebUrl]) {
      for (const credentials of ['us%zz:hunter2', 'u:hunter2%', 'u:%ffhunter2']) {
        assert.throws(() => parse(`http://${credentials}@corp:3128`), {
          name: 'ValueError',
          message:
            '"http://***@corp:3128" has a % in its credentials that begins no character; write %25 for a % itself',
        });
      }
    }
  });

  test('of another kind is refused without showing its password', () => {
    assert.throws(
      () => parseProxyUrl('ftp://user:hunter2@corp'),
      (error) => error instanceof Error && /write one like/u.test(error.message) && !error.message.includes('hunter2'),
    );
  });
});
