/**
 * Ports for servers that run in another process and must be told where to listen, and for those that come back to where
 * they were.
 */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorCode } from '../../src/store/failure.ts';

/** Below those that kernels give out by themselves, which a server that is away for a moment would lose to anybody. */
const firstPort = 20_000;
const portCount = 10_000;

/** A loopback port that is nobody else's until this is disposed, whether or not anything listens there. */
export class HeldPort implements Disposable {
  readonly port: number;
  #release: (() => void) | undefined;

  private constructor(port: number, release: () => void) {
    this.port = port;
    this.#release = release;
  }

  static async take(): Promise<HeldPort> {
    for (;;) {
      const port = firstPort + randomInt(portCount);
      const release = await hold(port);
      if (release === undefined) continue;
      if (await isFree(port)) return new HeldPort(port, release);
      release();
    }
  }

  [Symbol.dispose](): void {
    this.#release?.();
    this.#release = undefined;
  }
}

/** A loopback port that is nobody else's while this process runs. */
export async function freePort(): Promise<number> {
  return (await HeldPort.take()).port;
}

/** Whoever takes a port here takes its namesake of UDP first, so that processes see each other's. */
async function hold(port: number): Promise<(() => void) | undefined> {
  const socket = createSocket('udp4').unref();
  try {
    socket.bind({ port, address: '127.0.0.1', exclusive: true });
    await once(socket, 'listening');
    return () => socket.close();
  } catch (error) {
    socket.close();
    if (errorCode(error) !== 'EADDRINUSE') throw error;
    return undefined;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    if (errorCode(error) !== 'EADDRINUSE') throw error;
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}

/** Resolves when something accepts connections there. Another process has no event to await, so this asks every 10 ms. */
export async function listening(port: number, signal: AbortSignal): Promise<void> {
  while (!(await accepts(port))) await sleep(10, undefined, { signal });
}

/** Whether something accepts connections there now. */
export async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
