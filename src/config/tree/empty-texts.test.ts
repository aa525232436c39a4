import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadText, problemsOf } from '../testing.ts';

describe('keys of registry', () => {
  test('with an empty text are as if they were not there, and so are no plug-ins', async () => {
    const { config, notices } = await loadText(`
storage: { filesystem: { rootdirectory: /data }, cache: { blobdescriptor: '' } }
log: { level: '', formatter: '' }
http:
  { net: '', host: '', secret: '', tls: { certificate: '', key: '', minimumtls: '' }, debug: { addr: '', prometheus: { path: '' } } }
proxy: { remoteurl: '', username: '', password: '' }
middleware: { storage: [] }
`);
    assert.equal(config.mode, 'registry');
    assert.equal(config.http.debug, undefined);
    assert.equal(config.log.level, 'info');
    assert.deepEqual(notices, [
      'storage.cache (config.yml:2:50) is not needed and ignored: the index knows every blob',
    ]);
    assert.deepEqual((await loadText('storage: inmemory\nmiddleware: {}\n')).notices, []);
  });

  test('with an empty text in a list are an error, and so are empty keys of ours', async () => {
    const text = `storage: inmemory\nhttp: { tls: { clientcas: [''] } }\nadmin: { tokenfile: '' }\n`;
    assert.deepEqual(await problemsOf(text), [
      'config.yml:2:27: http.tls.clientcas: is empty; write a value, or remove it',
      'config.yml:3:21: admin.tokenfile: is empty; write a value, or remove it',
    ]);
  });
});
