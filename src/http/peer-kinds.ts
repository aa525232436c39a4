import type { Peer } from './request.ts';

/** What the way by which a client came says of it. */
export type PeerKind = Omit<Peer, 'address' | 'port' | 'trusted'>;

export const nobody = { clientCertificate: undefined, refusal: undefined };
export const plain: PeerKind = { secure: false, via: undefined, ...nobody };

/** Begins as Go's own answer does, which people search for. */
export const plainOnly: PeerKind = {
  ...plain,
  refusal: {
    status: 400,
    code: 'REQUEST_INVALID',
    message:
      'Client sent an HTTP request to an HTTPS server. Ask with https:// instead (docker: take this host out of insecure-registries), or set http.tls.plain: true at the server for both',
  },
};
