import type { Reply } from '../http/message.ts';

const registryBody = Buffer.from('{}\n');
const rootBody = Buffer.from(
  'This is Entrepot, a cache of container registries, and one itself.\nThe registry is at /v2/.\n',
);

/**
 * "This is a registry" (distribution specification, "Determining Support"). Never a challenge: podman skips a mirror
 * that has one, and dockerd would answer it with the user's Docker Hub password.
 */
export const pingReply: Reply = {
  status: 200,
  headers: {
    'Content-Type': 'application/json',
    'Content-Length': String(registryBody.length),
    'Docker-Distribution-Api-Version': 'registry/2.0',
  },
  body: { kind: 'bytes', bytes: registryBody },
};

/** For people, and for load balancers that look at `/`. */
export const rootReply: Reply = {
  status: 200,
  headers: { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': String(rootBody.length) },
  body: { kind: 'bytes', bytes: rootBody },
};

/**
 * What may be done here (RFC 9110, 9.3.7). A browser asks before it sends a page's request to us, without any credentials,
 * and takes nothing but success for an answer; whether that page may is in the headers of `http.headers`.
 */
export function optionsReply(allow: string): Reply {
  const headers = { Allow: allow, 'Content-Length': '0', 'Docker-Distribution-Api-Version': 'registry/2.0' };
  return { status: 200, headers, body: { kind: 'none' } };
}
