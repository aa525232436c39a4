import assert from 'node:assert/strict';
import { test } from 'node:test';
import { troubleText } from './trouble.ts';

function systemError(code: string, message: string, path?: string): Error {
  return Object.assign(new Error(message), path === undefined ? { code } : { code, path });
}

test('only an error that has to do with files sends the operator to them', () => {
  assert.equal(
    troubleText(systemError('ECONNRESET', 'aborted')),
    'aborted; try again, and set ENTREPOT_DEBUG=1 to see where it comes from.',
  );
  assert.match(troubleText(systemError('EIO', 'EIO: i/o error, read')), /; look into the storage directory\.$/);
  assert.match(troubleText(systemError('ELOOP', 'ELOOP: too many links', '/data/x')), /; look into \/data\/x\.$/);
});
