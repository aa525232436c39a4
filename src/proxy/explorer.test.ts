import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { LearnedUpstreams } from '../config/learned-upstreams.ts';
import type { ProofIndex } from '../index/contract.ts';
import { RegistryError } from '../oci/errors.ts';
import type { RelayAnswer, Upstream, Upstreams } from '../upstream/contract.ts';
import { Explorer } from './explorer.ts';
import type { Target } from './target.ts';

const target: Target = { name: 'reg.test', host: 'reg.test', port: 443 };
const challenge = 'Bearer realm="https://auth.reg.test/token",service="reg.test"';

/** An explorer of one host, which answers as the test says; the index knows nothing, or fails. */
function explorerOf(relay: () => Promise<Partial<RelayAnswer>>, challenges: Pick<ProofIndex, 'challenge'>) {
  const learned = new LearnedUpstreams();
  const upstream = { relay } as Partial<Record<keyof Upstream, unknown>> as Upstream;
  const upstreams = { find: () => upstream } as Partial<Upstreams> as Upstreams;
  const settings = () => ({ dial: [], resolver: [] });
  const explorer = new Explorer({ learned, settings, upstreams, challenges, clock: new FakeClock() });
  return { learned, explorer };
}

const registry = async (): Promise<Partial<RelayAnswer>> => ({
  status: 401,
  headers: [['WWW-Authenticate', challenge]],
  chunks: (async function* () {})(),
  cancel: () => {},
});
const isDown = async (): Promise<never> => {
  throw new RegistryError('UNAVAILABLE', 'the index failed (database is locked)', { origin: 'index' });
};

describe('a host that nobody named', () => {
  test('is a registry when it behaves like one, also while the index fails', async () => {
    const { learned, explorer } = explorerOf(registry, { challenge: isDown });
    await explorer.explore(target);
    assert.deepEqual(learned.find('reg.test')?.realms, ['auth.reg.test']);
  });

  test('is none when neither it nor the index can be asked', async () => {
    const { learned, explorer } = explorerOf(isDown, { challenge: isDown });
    await explorer.explore(target);
    assert.equal(learned.find('reg.test'), undefined);
  });

  test('is none where asking it fails in a way that it should not', async () => {
    const bug = new TypeError('x is not a function');
    const { learned, explorer } = explorerOf(() => Promise.reject(bug), { challenge: async () => undefined });
    await assert.rejects(explorer.explore(target), bug);
    assert.equal(learned.find('reg.test'), undefined);
  });
});
