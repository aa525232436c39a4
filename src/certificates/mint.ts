import type { KeyObject } from 'node:crypto';
import { createHash, createPublicKey, randomBytes } from 'node:crypto';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import * as x509 from '@peculiar/asn1-x509';
import type { Constraints } from './constraints.ts';
import { nameConstraints } from './constraints.ts';
import { certificatePem } from './pem.ts';
import type { Scheme } from './signature.ts';
import { schemeOf, signed } from './signature.ts';
import type { SubjectName } from './subject-name.ts';

/** Who signs. */
export interface Issuer {
  readonly name: x509.Name;
  readonly keyIdentifier: ArrayBuffer;
  readonly key: KeyObject;
  readonly scheme: Scheme;
}

export interface Span {
  /** Milliseconds since the epoch. */
  readonly from: number;
  readonly to: number;
}

/** A certificate for a server with that key, PEM. */
export function mintLeaf(issuer: Issuer, names: readonly SubjectName[], publicKey: KeyObject, span: Span): string {
  const title = names[0]?.text ?? '';
  const isShort = title !== '' && title.length <= commonNameCharactersMax;
  const alternatives = new x509.SubjectAlternativeName(names.map(generalName));
  const extensions = [
    extension(x509.id_ce_basicConstraints, new x509.BasicConstraints({ cA: false }), 'critical'),
    extension(x509.id_ce_keyUsage, new x509.KeyUsage(x509.KeyUsageFlags.digitalSignature), 'critical'),
    extension(x509.id_ce_extKeyUsage, new x509.ExtendedKeyUsage([x509.id_kp_serverAuth])),
    // Where the subject is empty, the names are all there is (RFC 5280, 4.2.1.6).
    extension(x509.id_ce_subjectAltName, alternatives, isShort ? undefined : 'critical'),
    authorityKeyIdentifier(issuer.keyIdentifier),
  ];
  return mint(issuer, { subject: isShort ? commonName(title) : new x509.Name([]), publicKey, span, extensions });
}

/** A certificate authority's own certificate, PEM, for the key pair whose private half is given. */
export function mintRoot(title: string, key: KeyObject, span: Span, constraints?: Constraints): string {
  const publicKey = createPublicKey(key);
  const keyIdentifier = keyIdentifierOf(publicKey);
  const scheme = schemeOf(key);
  if (scheme === undefined) throw new Error('a key that cannot sign');
  const usage = x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign;
  const extensions = [
    extension(x509.id_ce_basicConstraints, new x509.BasicConstraints({ cA: true, pathLenConstraint: 0 }), 'critical'),
    extension(x509.id_ce_keyUsage, new x509.KeyUsage(usage), 'critical'),
    // Whoever trusts it trusts it for servers, and neither for mail nor for programs.
    extension(x509.id_ce_extKeyUsage, new x509.ExtendedKeyUsage([x509.id_kp_serverAuth])),
    extension(x509.id_ce_subjectKeyIdentifier, new x509.SubjectKeyIdentifier(keyIdentifier)),
    ...(constraints === undefined
      ? []
      : [extension(x509.id_ce_nameConstraints, nameConstraints(constraints), 'critical')]),
  ];
  // Told apart by their names, too: a trust store may hold several of ours.
  const name = commonName(`${title} ${Buffer.from(keyIdentifier).toString('hex', 0, 4)}`);
  return mint({ name, keyIdentifier, key, scheme }, { subject: name, publicKey, span, extensions });
}

/** What proves a name by a handshake (RFC 8737, 3): signed by itself, PEM. */
export function mintChallenge(host: string, key: KeyObject, digest: Uint8Array, span: Span): string {
  const publicKey = createPublicKey(key);
  const scheme = schemeOf(key);
  if (scheme === undefined) throw new Error('a key that cannot sign');
  const names = new x509.SubjectAlternativeName([generalName({ kind: 'dns', text: host })]);
  const extensions = [
    extension(x509.id_ce_subjectAltName, names),
    extension(acmeIdentifier, new OctetString(digest), 'critical'),
  ];
  const name = commonName('ACME challenge');
  const issuer = { name, keyIdentifier: keyIdentifierOf(publicKey), key, scheme };
  return mint(issuer, { subject: name, publicKey, span, extensions });
}

const acmeIdentifier = '1.3.6.1.5.5.7.1.31';

/** RFC 5280, 4.2.1.2, the first way. */
export function keyIdentifierOf(publicKey: KeyObject): ArrayBuffer {
  const info = AsnConvert.parse(publicKey.export({ type: 'spki', format: 'der' }), x509.SubjectPublicKeyInfo);
  const hash = createHash('sha1').update(new Uint8Array(info.subjectPublicKey)).digest();
  return new Uint8Array(hash).buffer;
}

interface Content {
  readonly subject: x509.Name;
  readonly publicKey: KeyObject;
  readonly span: Span;
  readonly extensions: readonly x509.Extension[];
}

function mint({ name, key, scheme }: Issuer, { subject, publicKey, span, extensions }: Content): string {
  const tbsCertificate = new x509.TBSCertificate({
    version: x509.Version.v3,
    serialNumber: serialNumber(),
    signature: scheme.algorithm,
    issuer: name,
    validity: new x509.Validity({ notBefore: new Date(span.from), notAfter: new Date(span.to) }),
    subject,
    subjectPublicKeyInfo: AsnConvert.parse(
      publicKey.export({ type: 'spki', format: 'der' }),
      x509.SubjectPublicKeyInfo,
    ),
    extensions: new x509.Extensions([...extensions]),
  });
  const signatureValue = signed(AsnConvert.serialize(tbsCertificate), key, scheme);
  const certificate = new x509.Certificate({ tbsCertificate, signatureAlgorithm: scheme.algorithm, signatureValue });
  return certificatePem(AsnConvert.serialize(certificate));
}

/** Positive, and longer than anybody guesses (RFC 5280, 4.1.2.2). */
function serialNumber(): ArrayBuffer {
  const bytes = new Uint8Array(randomBytes(16));
  bytes[0] = 0x40 | ((bytes[0] ?? 0) & 0x3f);
  return bytes.buffer;
}

/** RFC 5280, appendix A: `ub-common-name`. */
const commonNameCharactersMax = 64;

function commonName(text: string): x509.Name {
  const value = new x509.AttributeValue({ utf8String: text });
  const attribute = new x509.AttributeTypeAndValue({ type: '2.5.4.3', value });
  return new x509.Name([new x509.RelativeDistinguishedName([attribute])]);
}

function generalName({ kind, text }: SubjectName): x509.GeneralName {
  return new x509.GeneralName(kind === 'dns' ? { dNSName: text } : { iPAddress: text });
}

function authorityKeyIdentifier(keyIdentifier: ArrayBuffer): x509.Extension {
  const value = new x509.AuthorityKeyIdentifier({ keyIdentifier: new x509.KeyIdentifier(keyIdentifier) });
  return extension(x509.id_ce_authorityKeyIdentifier, value);
}

function extension(id: string, value: object, critical?: 'critical'): x509.Extension {
  const extnValue = new OctetString(AsnConvert.serialize(value));
  return new x509.Extension({ extnID: id, critical: critical !== undefined, extnValue });
}
