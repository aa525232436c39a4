import type { TLSSocket } from 'node:tls';
import type { ClientCertificatesConfig } from '../config/config.ts';
import type { Refusal } from './request.ts';

/** Of a client whose certificate one of `http.tls.clientcas` has signed. */
export interface ClientCertificate {
  /** `O=Acme,CN=ci`: from the widest part to the narrowest. */
  readonly subject: string;
  /** The common name, then the DNS names, mail addresses and URIs that the certificate is for. */
  readonly names: readonly string[];
  /** Its organizations: what it says its bearer belongs to. */
  readonly groups: readonly string[];
}

export interface ShownCertificate {
  readonly certificate: ClientCertificate | undefined;
  /** Why nothing that this client asks for is answered. */
  readonly refusal: Refusal | undefined;
}

/** What a client showed of itself, held against what is asked of it. */
export function shownCertificate(socket: TLSSocket, asked: ClientCertificatesConfig | undefined): ShownCertificate {
  if (asked === undefined) return { certificate: undefined, refusal: undefined };
  const shown = socket.getPeerX509Certificate();
  if (shown === undefined) {
    return { certificate: undefined, refusal: asked.required ? denied(missing) : undefined };
  }
  if (!asked.verified) return { certificate: undefined, refusal: undefined };
  if (!socket.authorized) return { certificate: undefined, refusal: denied(unaccepted(socket.authorizationError)) };
  return { certificate: certificateOf(shown.subject, shown.subjectAltName), refusal: undefined };
}

/** As Node writes both: a line a part of the subject, names after commas, what is odd in them in quotes. */
export function certificateOf(subject: string, alternatives: string | undefined): ClientCertificate {
  const parts = subject.split('\n');
  const common = valuesOf(parts, 'CN=').at(-1);
  const others = [...(alternatives ?? '').matchAll(alternative)].flatMap(([, name]) => name ?? []);
  return {
    subject: parts.join(','),
    names: [...(common === undefined ? [] : [common]), ...others],
    groups: valuesOf(parts, 'O='),
  };
}

function valuesOf(parts: readonly string[], prefix: string): readonly string[] {
  return parts.filter((part) => part.startsWith(prefix)).map((part) => part.slice(prefix.length));
}

/** One name after the other, those in quotes as a whole: what is in them looks like names, too. */
const alternative = /(?:DNS|email|URI):([^",\s]+)(?:, |$)|[^:,]+:(?:"(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/gy;

const missing =
  'this server wants a certificate of its clients; give this one such (docker: client.cert and client.key in /etc/docker/certs.d/HOST)';

function unaccepted(reason: unknown): string {
  return `the certificate of this client is not accepted (${String(reason)}); use one that an authority in http.tls.clientcas has signed, and that has not expired`;
}

function denied(message: string): Refusal {
  return { status: 403, code: 'DENIED', message };
}
