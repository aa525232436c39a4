import { Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import type { ListenerLimits } from './limits.ts';

/** Node looks for overdue headers so often, in milliseconds. */
const checkMs = 2_000;

export function makeHttpServer(limits: ListenerLimits, mayUpgrade: (socket: Socket) => boolean): HttpServer {
  const server = new HttpServer({
    shouldUpgradeCallback: ({ socket }) => mayUpgrade(socket),
    maxHeaderSize: limits.headerBytesMax,
    headersTimeout: limits.headersMsMax,
    // A push takes as long as it takes; the body sees to time limits of its own.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.min(checkMs, limits.headersMsMax),
    keepAliveTimeout: limits.keepAliveMs,
    noDelay: true,
    keepAlive: true,
    // The exchange asks for it itself, to answer in JSON.
    requireHostHeader: false,
    optimizeEmptyRequests: true,
    // Never lenient about what is framed twice or half (RFC 9112, 6.3 and 11.2).
    insecureHTTPParser: false,
  });
  server.maxConnections = limits.connectionsMax;
  server.timeout = limits.stallMsMax;
  return server;
}

/**
 * Puts `accept` before Node's own connection listener and returns the latter. One server for plain and decrypted sockets:
 * one set of limits, time-outs and listeners for both.
 */
export function takeConnections(server: HttpServer, accept: (socket: Socket) => void): (socket: Socket) => void {
  const listeners = server.listeners('connection') as ((socket: Socket) => void)[];
  server.removeAllListeners('connection');
  server.on('connection', accept);
  return (socket) => {
    for (const listener of listeners) listener.call(server, socket);
  };
}
