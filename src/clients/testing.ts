import type { ClientTarget } from './target.ts';

/** A cache of every registry, over plain HTTP. */
export const everyRegistry: ClientTarget = {
  url: 'http://cache.example:5000',
  serves: 'every',
  upstreams: ['docker.io', 'quay.io', '*.gcr.io'],
  defaultUpstream: 'docker.io',
  authority: undefined,
  interception: { pem: 'THE INTERCEPTION CERTIFICATE\n' },
};
