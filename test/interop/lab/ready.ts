import { once } from 'node:events';
import { connect } from 'node:net';
import type { NetConnectOpts } from 'node:net';

/** Whether something listens there: `{ host, port }`, or `{ path }` of a unix socket. */
export async function listens(target: NetConnectOpts): Promise<boolean> {
  const socket = connect(target);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
