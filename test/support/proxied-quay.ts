/** A registry that its clients reach through the proxy, with a public image, and one that of its two users alice alone may read. */
import { get } from './client.ts';
import { CountingUpstream } from './counting-upstream.ts';
import { Entrepot } from './entrepot.ts';
import { FakeClock } from './fake-clock.ts';
import type { Image } from './images.ts';
import { ProxiedClient } from './tunnel.ts';
import type { Login } from './tunnel.ts';

export const alice = { username: 'alice', password: 'alices-secret' };
export const bob = { username: 'bob', password: 'bobs-secret' };

export interface ProxiedQuay extends AsyncDisposable {
  readonly quay: CountingUpstream;
  readonly entrepot: Entrepot;
  readonly clock: FakeClock;
  client(login?: Login): ProxiedClient;
}

/** @param images `team/app:1`, and `team/plans:1`, which is private */
export async function startProxiedQuay(
  images: { readonly app: Image; readonly plans: Image },
  config: Readonly<Record<string, unknown>> = {},
): Promise<ProxiedQuay> {
  await using opening = new AsyncDisposableStack();
  // Certificates are looked at by the real clock.
  const clock = new FakeClock(Date.now());
  const users = { alice: alice.password, bob: bob.password };
  const grants = { alice: ['team/plans'], bob: [] };
  const auth = { kind: 'bearer', users, grants, private: ['team/plans'] } as const;
  const quay = opening.use(await CountingUpstream.start({ tls: true, auth, now: () => clock.now() }));
  quay.publish('team/app:1', images.app);
  quay.publish('team/plans:1', images.plans);
  const entrepot = opening.use(await Entrepot.start({ upstreams: { 'quay.io': quay }, clock, config }));
  const ca = (await get(`${entrepot.origin}/ca.crt?ca=interception`)).body.toString();
  const names = { [quay.origin]: 'https://quay.io' };
  const client = (login?: Login): ProxiedClient => new ProxiedClient(() => entrepot.port, { ca, names }, login);
  const scope = opening.move();
  return { quay, entrepot, clock, client, [Symbol.asyncDispose]: () => scope.disposeAsync() };
}
