/** Every way to push a blob, with either algorithm; what is wrong with a push; ranges. */
import assert from 'node:assert/strict';
import type { Answer } from '../../support/client.ts';
import { literal, noise } from './content.ts';
import type { Algorithm, Blob } from './content.ts';
import { hasDigest, header } from './wire.ts';
import type { Repository, Wire } from './wire.ts';

export interface Check {
  readonly name: string;
  readonly run: (wire: Wire) => Promise<void>;
}

const here: Repository = 'conformance/three';
const there: Repository = 'conformance/four';
const octets = { 'Content-Type': 'application/octet-stream' };

/** Pushes, and resolves with the answer to the request that completed it. `final`: the status that is expected of that one. */
type Push = (wire: Wire, blob: Blob, final: number) => Promise<Answer>;

export function blobChecks(): readonly Check[] {
  return (['sha256', 'sha512'] as const).flatMap(checksOf);
}

function checksOf(algorithm: Algorithm): readonly Check[] {
  return [
    ...Object.entries(pushes).map(([way, push]) => pushed(`${algorithm} ${way}`, () => noise(3_067, algorithm), push)),
    ...Object.entries(pushes)
      .filter(([way]) => !way.includes('out of order'))
      .map(([way, push]) => refused(`${algorithm} ${way} of other bytes`, algorithm, push)),
    pushed(`${algorithm} empty blob`, () => literal('', algorithm), pushes['in one PUT']),
    pushed(`${algorithm} empty blob, streamed`, () => literal('', algorithm), pushes['streamed']),
    pushed(`${algorithm} empty JSON`, () => literal('{}', algorithm), pushes['in one POST']),
    ...mounts(algorithm),
    ranges(algorithm),
  ];
}

const pushes = {
  'in one POST': (wire, { digest, bytes }, final) =>
    wire.ask('POST', uploadsOf(here), final, { headers: octets, query: { digest }, body: bytes }),
  'in one PUT': async (wire, { digest, bytes }, final) =>
    wire.ask('PUT', await begin(wire), final, { headers: octets, query: { digest }, body: bytes }),
  'in one chunk': (wire, blob, final) => inChunks(wire, blob, final, { size: blob.bytes.length }),
  'in three chunks': (wire, blob, final) => inChunks(wire, blob, final, { size: 1_024 }),
  'in three chunks, the last with the PUT': (wire, blob, final) =>
    inChunks(wire, blob, final, { size: 1_024, lastInPut: true }),
  'in chunks out of order': (wire, blob, final) => inChunks(wire, blob, final, { size: 1_024, outOfOrder: true }),
  'in chunks out of order, the last with the PUT': (wire, blob, final) =>
    inChunks(wire, blob, final, { size: 1_024, outOfOrder: true, lastInPut: true }),
  streamed: async (wire, { digest, bytes }, final) => {
    const patched = await wire.ask('PATCH', await begin(wire), 202, { headers: octets, body: bytes, streamed: true });
    return wire.ask('PUT', header(patched, 'location'), final, { headers: octets, query: { digest } });
  },
} as const satisfies Readonly<Record<string, Push>>;

function uploadsOf(repository: Repository): string {
  return `/v2/${repository}/blobs/uploads/`;
}

async function begin(wire: Wire): Promise<string> {
  return header(await wire.ask('POST', uploadsOf(here), 202), 'location');
}

interface Chunks {
  readonly size: number;
  readonly lastInPut?: boolean;
  /** Before each chunk comes another one's turn, which is refused with 416; then the upload is asked how far it is. */
  readonly outOfOrder?: boolean;
}

async function inChunks(wire: Wire, { digest, bytes }: Blob, final: number, options: Chunks): Promise<Answer> {
  let location = await begin(wire);
  const send = (start: number, status: number): Promise<Answer> => {
    const chunk = bytes.subarray(start, start + options.size);
    const headers = { ...octets, 'Content-Range': `${start}-${start + chunk.length - 1}` };
    const last = options.lastInPut === true && start + chunk.length === bytes.length;
    return last
      ? wire.ask('PUT', location, status === 202 ? final : status, { headers, query: { digest }, body: chunk })
      : wire.ask('PATCH', location, status, { headers, body: chunk });
  };
  for (let start = 0; start < bytes.length; start += options.size) {
    if (options.outOfOrder === true) {
      await send(start + options.size < bytes.length ? start + options.size : 0, 416);
      const state = await wire.ask('GET', location, 204);
      location = header(state, 'location');
      if (start > 0) assert.equal(header(state, 'range'), `0-${start - 1}`);
    }
    const answer = await send(start, 202);
    if (answer.status === final) return answer;
    location = header(answer, 'location');
    assert.equal(header(answer, 'range'), `0-${Math.min(start + options.size, bytes.length) - 1}`);
  }
  return wire.ask('PUT', location, final, { headers: octets, query: { digest } });
}

function pushed(name: string, make: () => Blob, push: Push): Check {
  return {
    name: `blob: ${name}`,
    run: async (wire) => {
      const blob = make();
      const answer = await push(wire, blob, 201);
      hasDigest(answer, blob.digest);
      assert.deepEqual((await wire.ask('GET', header(answer, 'location'), 200)).body, blob.bytes);
      await isThere(wire, here, blob);
      await deleted(wire, here, blob);
    },
  };
}

function refused(name: string, algorithm: Algorithm, push: Push): Check {
  return {
    name: `blob: ${name} is refused`,
    run: async (wire) => {
      const blob = noise(3_067, algorithm);
      await push(wire, { ...blob, bytes: Buffer.concat([blob.bytes, Buffer.from('!')]) }, 400);
      await wire.ask('HEAD', `/v2/${here}/blobs/${blob.digest}`, 404);
    },
  };
}

export async function isThere(wire: Wire, repository: Repository, { digest, bytes }: Blob): Promise<void> {
  for (const method of ['HEAD', 'GET']) {
    const answer = await wire.ask(method, `/v2/${repository}/blobs/${digest}`, 200);
    hasDigest(answer, digest);
    assert.equal(header(answer, 'content-length'), String(bytes.length));
    assert.deepEqual(answer.body, method === 'GET' ? bytes : Buffer.alloc(0));
  }
}

export async function deleted(wire: Wire, repository: Repository, { digest }: Blob): Promise<void> {
  await wire.ask('DELETE', `/v2/${repository}/blobs/${digest}`, 202);
  await wire.ask('HEAD', `/v2/${repository}/blobs/${digest}`, 404);
}

/** In the way that every registry knows, for what needs it to be there. */
export async function put(wire: Wire, repository: Repository, { digest, bytes }: Blob): Promise<void> {
  const begun = await wire.ask('POST', uploadsOf(repository), 202);
  await wire.ask('PUT', header(begun, 'location'), 201, { headers: octets, query: { digest }, body: bytes });
}

function mounts(algorithm: Algorithm): readonly Check[] {
  const mounted = (name: string, from: Readonly<Record<string, string>>): Check => ({
    name: `blob: ${algorithm} ${name}`,
    run: async (wire) => {
      const blob = noise(512, algorithm);
      await put(wire, there, blob);
      const answer = await wire.ask('POST', uploadsOf(here), 201, { query: { mount: blob.digest, ...from } });
      hasDigest(answer, blob.digest);
      assert.deepEqual((await wire.ask('GET', header(answer, 'location'), 200)).body, blob.bytes);
      await isThere(wire, here, blob);
      await deleted(wire, here, blob);
      await isThere(wire, there, blob);
      await deleted(wire, there, blob);
    },
  });
  return [
    mounted('mounted', { from: there }),
    mounted('mounted from anywhere', {}),
    {
      name: `blob: ${algorithm} mount of what is not there begins an upload`,
      run: async (wire) => {
        const blob = noise(512, algorithm);
        const answer = await wire.ask('POST', uploadsOf(here), 202, { query: { mount: blob.digest, from: there } });
        await wire.ask('PUT', header(answer, 'location'), 201, {
          headers: octets,
          query: { digest: blob.digest },
          body: blob.bytes,
        });
        await deleted(wire, here, blob);
      },
    },
    {
      name: `blob: ${algorithm} upload cancelled`,
      run: async (wire) => {
        const location = await begin(wire);
        await wire.ask('DELETE', location, 204);
        await wire.ask('GET', location, 404);
        await wire.ask('GET', `/v2/${here}/blobs/${noise(512, algorithm).digest}`, 404);
      },
    },
  ];
}

function ranges(algorithm: Algorithm): Check {
  return {
    name: `blob: ${algorithm} ranges`,
    run: async (wire) => {
      const blob = noise(2_048, algorithm);
      await put(wire, here, blob);
      const ask = (range: string, status: number): Promise<Answer> =>
        wire.ask('GET', `/v2/${here}/blobs/${blob.digest}`, status, { headers: { Range: `bytes=${range}` } });
      const wanted = [
        ['500-1499', 500, 1_500],
        ['500-', 500, 2_048],
        ['-500', 1_548, 2_048],
        ['2000-5000', 2_000, 2_048],
      ] as const;
      for (const [range, start, end] of wanted) {
        const answer = await ask(range, 206);
        assert.deepEqual(answer.body, blob.bytes.subarray(start, end));
        assert.equal(header(answer, 'content-range'), `bytes ${start}-${end - 1}/2048`);
        assert.equal(header(answer, 'content-length'), String(end - start));
      }
      await ask('500-0', 416);
      await ask('5000-10000', 416);
      await deleted(wire, here, blob);
    },
  };
}
