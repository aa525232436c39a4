import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { Secret } from '../config/secret.ts';
import { openSqliteIndex } from '../index/sqlite/index.ts';
import { silent } from '../observe/events.ts';
import { digestOf } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { mediaTypes } from '../oci/media-types.ts';
import { parseRepositoryName, parseTag } from '../oci/reference.ts';
import type { Presented } from '../oci/repository.ts';
import type { Proven, Upstream, UpstreamRepository } from '../upstream/contract.ts';
import { ClientRights } from './client-rights.ts';

const key = { upstream: 'quay.example', name: parseRepositoryName('team/plans') };
const wanted = { object: 'manifest', reference: parseTag('1') } as const;
const descriptor = { digest: digestOf('secret'), size: 6, mediaType: mediaTypes.ociManifest };
const second = 1_000;

/** A registry that answers when it is told to, and one account whose tokens are known to be its. */
async function scene() {
  await using opening = new AsyncDisposableStack();
  const index = opening.use(await openSqliteIndex({ path: ':memory:' }));
  const clock = new FakeClock();
  const questions: PromiseWithResolvers<Proven | undefined>[] = [];
  const repository: Partial<UpstreamRepository> = {
    prove: () => {
      const question = Promise.withResolvers<Proven | undefined>();
      questions.push(question);
      return question.promise;
    },
  };
  const upstream = { url: 'https://quay.example', repository: () => repository } as Partial<Upstream> as Upstream;
  const upstreams = { find: () => upstream, list: () => [upstream], close: async () => {} };
  const windows = (): { proofMs: number; outageMs: number } => ({ proofMs: 60 * second, outageMs: 3_600 * second });
  const rights = new ClientRights({ index, upstreams, clock, observer: silent, windows });
  const credential = await rights.fingerprints.of('password', 'alice:her-secret');
  for (const token of ['one', 'other']) {
    const granted = { credential, expiresAtMs: clock.now() + 3_600 * second };
    await index.proofs.grant(await rights.fingerprints.of('token', token), granted);
  }
  const scope = opening.move();
  return {
    clock,
    questions,
    ask: (token: string) => rights.prove(presenting(token), key, wanted),
    /** Until the registry has been asked so often. */
    asked: async (count: number): Promise<void> => {
      while (questions.length < count) await new Promise(setImmediate);
    },
    [Symbol.asyncDispose]: () => scope.disposeAsync(),
  };
}

function presenting(token: string): Presented {
  return { upstream: 'quay.example', host: 'quay.example', authorization: new Secret(`Bearer ${token}`) };
}

const denied = new RegistryError('DENIED', 'not for you', { origin: 'client' });
const away = new RegistryError('UPSTREAM_UNREACHABLE', 'nobody there', { origin: 'upstream' });

describe('what a client has proved', () => {
  test('counts from when the registry was asked, however long it took to answer', async () => {
    await using at = await scene();
    const first = at.ask('one');
    await at.asked(1);
    await at.clock.advance(50 * second);
    at.questions[0]?.resolve({ descriptor });
    await first;
    await at.clock.advance(9 * second);
    await at.ask('one');
    assert.equal(at.questions.length, 1, 'it counts for a minute');
    await at.clock.advance(second);
    const again = at.ask('one');
    await at.asked(2);
    at.questions[1]?.reject(denied);
    await assert.rejects(again, { code: 'DENIED' });
  });

  test('is over with a refusal, also where an answer from before it comes late', async () => {
    await using at = await scene();
    const slow = at.ask('one');
    await at.asked(1);
    const revoked = at.ask('other');
    await at.asked(2);
    at.questions[1]?.reject(denied);
    await assert.rejects(revoked, { code: 'DENIED' });
    at.questions[0]?.resolve({ descriptor });
    await slow;
    await at.clock.advance(61 * second);
    for (const token of ['one', 'other']) {
      const later = at.ask(token);
      await at.asked(token === 'one' ? 3 : 4);
      at.questions.at(-1)?.reject(away);
      if (token === 'one') await later;
      else await assert.rejects(later, { code: 'UPSTREAM_UNREACHABLE' });
    }
  });
});
