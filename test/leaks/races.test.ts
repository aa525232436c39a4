/** Whoever was let in as anybody, before anything was known, is looked at once more when there is something to see. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { marker, shelves } from './content.ts';
import { ask, pathAt } from './doors.ts';
import type { Door } from './doors.ts';
import { leakScene, tokenFor } from './scene.ts';
import type { Scene } from './scene.ts';

const { name, tag, index, signature } = shelves.plans;
const lists = [
  { path: `/v2/${name}/tags/list`, secret: tag },
  { path: `/v2/${name}/referrers/${index.digest}`, secret: signature.digest },
];

for (const { path, secret } of lists) {
  test(`nobody is listed what its owner brings in meanwhile: ${path.split('/').at(-2)}`, async () => {
    await using at = await leakScene({ account: false, exposure: 'authenticated' });
    const authorization = await tokenFor(at, 'alice');
    const gate = at.hub.gate({ path: path.slice(path.lastIndexOf(name)) });
    const asked = by(at, 'ns', path, {});
    await gate.arrived();
    for (const reference of [tag, signature.digest]) {
      const got = await by(at, 'tunnel', `/v2/${name}/manifests/${reference}`, { authorization });
      assert.equal(got.status, 200);
    }
    gate.release();
    const { status, body } = await asked;
    assert.ok(status >= 400 && status < 500, `${status} ${body.toString()}`);
    for (const text of [secret, marker]) assert.ok(path.includes(text) || !body.includes(text), text);
  });
}

function by(at: Scene, door: Door, path: string, headers: Readonly<Record<string, string>>) {
  const host = door === 'tunnel' ? 'registry-1.docker.io' : `127.0.0.1:${at.entrepot.port}`;
  const sent = { host, accept: '*/*', ...headers };
  return ask({
    method: 'GET',
    path: pathAt(door, path),
    headers: sent,
    port: at.entrepot.port,
    agent: at.agentFor(door),
  });
}
