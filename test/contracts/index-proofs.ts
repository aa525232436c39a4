import assert from 'node:assert/strict';
import { test } from 'node:test';
import { app, repository } from './index-fixtures.ts';
import type { MakeIndex } from './index.ts';

const other = repository('quay.io', 'team/other');

export function proofsContract(make: MakeIndex): void {
  test('the key of the hashes is random, and the same for every process', async () => {
    await using one = await make();
    await using another = await make();
    const key = await one.index.proofs.key();
    assert.ok(key.length >= 32);
    assert.deepEqual(await one.index.proofs.key(), key);
    assert.deepEqual(await (await one.second()).proofs.key(), key);
    assert.notDeepEqual(await another.index.proofs.key(), key);
  });

  test('a proof is of one subject and one repository, and the last one counts', async () => {
    await using subject = await make();
    const { proofs } = subject.index;
    await proofs.put('alice', app, { provedAtMs: 5, expiresAtMs: 9 });
    await proofs.put('alice', app, { provedAtMs: 7, expiresAtMs: Infinity });
    assert.deepEqual(await (await subject.second()).proofs.find('alice', app), {
      provedAtMs: 7,
      expiresAtMs: Infinity,
    });
    assert.equal(await proofs.find('bob', app), undefined);
    assert.equal(await proofs.find('alice', other), undefined);
  });

  test('a token leads to the credential that it was granted to', async () => {
    await using subject = await make();
    const { proofs } = subject.index;
    await proofs.grant('token', { credential: 'alice', expiresAtMs: 10 });
    assert.deepEqual(await (await subject.second()).proofs.granted('token'), { credential: 'alice', expiresAtMs: 10 });
    assert.equal(await proofs.granted('another'), undefined);
  });

  test('what is old is forgotten, but never that somebody brought something', async () => {
    await using subject = await make();
    const { proofs } = subject.index;
    const proof = { provedAtMs: 5, expiresAtMs: Infinity };
    await proofs.put('alice', app, proof);
    await proofs.put('bob', app, { ...proof, provedAtMs: 6 });
    await proofs.put('', app, proof);
    await proofs.grant('old', { credential: 'alice', expiresAtMs: 7 });
    await proofs.grant('young', { credential: 'alice', expiresAtMs: 8 });
    await proofs.prune(6, 8);
    assert.equal(await proofs.find('alice', app), undefined);
    assert.ok(await proofs.find('bob', app));
    assert.ok(await proofs.find('', app));
    assert.equal(await proofs.granted('old'), undefined);
    assert.ok(await proofs.granted('young'));
  });

  test('how a registry asks clients who they are is remembered', async () => {
    await using subject = await make();
    const { proofs } = subject.index;
    assert.equal(await proofs.challenge('quay.io'), undefined);
    assert.equal(await proofs.challenge('quay.io', 'Basic realm="a"'), 'Basic realm="a"');
    await proofs.challenge('quay.io', 'Basic realm="b"');
    assert.equal(await (await subject.second()).proofs.challenge('quay.io'), 'Basic realm="b"');
  });
}
