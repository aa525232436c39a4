/** Every default with its reason, where it is not obvious. */
export interface ListenerLimits {
  /** Request line and headers together. Podman asks for up to 1,024 ranges of a blob at once: some 24 KiB. */
  readonly headerBytesMax: number;
  /** For a TLS handshake, and for the headers of a request, from their first byte on (from connecting, for the first). */
  readonly headersMsMax: number;
  /** For a body that is not a blob's. */
  readonly requestMsMax: number;
  /** How long an idle connection is kept; above the 60 s of common load balancers. */
  readonly keepAliveMs: number;
  /** How long a client may take no bytes at all while there are some for it. */
  readonly stallMsMax: number;
  readonly connectionsMax: number;
  /** Pipelined requests that wait for an answer before them. */
  readonly pipelinedMax: number;
  /** Of a request whose body nobody reads. */
  readonly requestBodyBytesMax: number;
}

export const listenerLimits: ListenerLimits = {
  headerBytesMax: 32 * 1024,
  headersMsMax: 10_000,
  requestMsMax: 60_000,
  keepAliveMs: 90_000,
  stallMsMax: 120_000,
  connectionsMax: 10_000,
  pipelinedMax: 64,
  requestBodyBytesMax: 1024 * 1024,
};
