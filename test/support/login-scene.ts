/** A server with users, before Docker Hub. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CountingUpstream } from './counting-upstream.ts';
import { Entrepot } from './entrepot.ts';
import type { FakeClock } from './fake-clock.ts';
import { makeImage } from './images.ts';
import { basic, htpasswdOf } from './logins.ts';
import { TempDir } from './temp-dir.ts';

export const redis = makeImage({ seed: 'redis' });
export const app = makeImage({ seed: 'app' });
export const users = { ann: 'correct horse', ci: 'battery:staple' };
export const ann = basic('ann', users.ann);
export const ci = basic('ci', users.ci);

/** Anonymous pull with authenticated push, in one registry. */
export const twoLines = [
  { who: 'anonymous', may: 'pull', on: '**' },
  { who: 'authenticated', may: ['pull', 'push', 'delete'], on: '**' },
];

interface Wish {
  readonly access?: unknown;
  readonly http?: Readonly<Record<string, unknown>>;
  readonly registryMode?: boolean;
  readonly clock?: FakeClock;
}

export async function loginScene({ access, http, registryMode = false, clock }: Wish = {}) {
  await using opening = new AsyncDisposableStack();
  const directory = opening.use(await TempDir.make()).path;
  const hub = opening.use(await CountingUpstream.start());
  hub.publish('library/redis:7', redis);
  const path = join(directory, 'users');
  await writeFile(path, htpasswdOf(users));
  const config = {
    auth: { htpasswd: { realm: 'The house', path } },
    ...(access === undefined ? {} : { access }),
    ...(http === undefined ? {} : { http }),
  };
  const options = { config, directory, registryMode, ...(clock === undefined ? {} : { clock }) };
  const entrepot = opening.use(
    await Entrepot.start(registryMode ? options : { ...options, upstreams: { 'docker.io': hub } }),
  );
  const scope = opening.move();
  const { origin } = entrepot;
  return {
    hub,
    entrepot,
    origin,
    path,
    realm: `${origin}/auth/token`,
    [Symbol.asyncDispose]: () => scope.disposeAsync(),
  };
}
