import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '../../config/secret.ts';
import { signedHeaders } from './sigv4.ts';

/** From AWS's own test suite for Signature Version 4: post-x-www-form-urlencoded and post-sts-header-after. */
const keys = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: new Secret('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'),
  sessionToken: undefined,
};
const place = { region: 'us-east-1', service: 'service', nowMs: Date.parse('2015-08-30T12:36:00Z') };

test('a POST is signed as in the test suite of AWS', () => {
  const url = new URL('https://example.amazonaws.com/');
  const plain = signedHeaders({ url, headers: {}, body: '', ...place }, keys);
  assert.equal(plain['x-amz-date'], '20150830T123600Z');
  assert.equal(
    plain['authorization'],
    'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
  );
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const posted = signedHeaders({ url, headers: form, body: 'Param1=value1', ...place }, keys);
  assert.match(
    posted['authorization'] ?? '',
    /Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a$/,
  );
});

test('a session token is part of what is signed', () => {
  const url = new URL('https://example.amazonaws.com/');
  const session = { ...keys, sessionToken: new Secret('SESSION') };
  const headers = signedHeaders({ url, headers: {}, body: '', ...place }, session);
  assert.equal(headers['x-amz-security-token'], 'SESSION');
  assert.match(headers['authorization'] ?? '', /SignedHeaders=host;x-amz-date;x-amz-security-token,/);
});
