import type { Socket } from 'node:net';

/** The socket that another's TLS is on; itself where there is none. Node keeps it, and has no word for it of its own. */
export function beneath(socket: Socket & { readonly _parent?: Socket | null }): Socket {
  return socket._parent ?? socket;
}
